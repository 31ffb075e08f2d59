"""Intervals against published values, scipy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evenhand.evaluation.intervals import mean_of_proportions, paired_difference, widen_by_seeds, wilson


@given(st.integers(1, 500), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(total: int, data: st.DataObject, confidence: float) -> None:
    successes = data.draw(st.integers(0, total))
    expected = stats.binomtest(successes, total).proportion_ci(confidence, method="wilson")
    assert wilson(successes, total, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_newcombes_examples() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    for successes, total, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        assert wilson(successes, total, 0.95) == pytest.approx((low, high), abs=5e-5)


def test_wilson_without_tries_knows_nothing() -> None:
    assert wilson(0, 0, 0.95) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "total", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_wilson_refuses_nonsense(successes: int, total: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="must be in"):
        wilson(successes, total, confidence)


def test_mean_of_one_proportion_is_its_wilson_interval() -> None:
    assert mean_of_proportions([7], [10]) == pytest.approx(wilson(7, 10))


def test_mean_of_proportions_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    truth, totals = np.array([0.98, 0.9, 0.6, 0.5]), np.array([45, 45, 12, 6])
    hits = 0
    for _ in range(2000):
        low, high = mean_of_proportions(rng.binomial(totals, truth), totals, 0.95)
        hits += low <= truth.mean() <= high
    assert 0.93 <= hits / 2000 <= 0.985


def test_mean_of_proportions_needs_tries() -> None:
    with pytest.raises(ValueError, match="at least one try"):
        mean_of_proportions([0, 1], [0, 2])


def test_paired_difference_of_a_worked_example() -> None:
    # both 36, only a 12, only b 2, neither 0: Wilson of 48/50 and 38/50, correlation (36*0 - 12*2) / sqrt(48*2*38*12).
    low_a, high_a = wilson(48, 50)
    low_b, high_b = wilson(38, 50)
    phi = -24 / np.sqrt(48 * 2 * 38 * 12)
    below = np.sqrt((0.96 - low_a) ** 2 - 2 * phi * (0.96 - low_a) * (high_b - 0.76) + (high_b - 0.76) ** 2)
    above = np.sqrt((high_a - 0.96) ** 2 - 2 * phi * (high_a - 0.96) * (0.76 - low_b) + (0.76 - low_b) ** 2)
    assert paired_difference(36, 12, 2, 0, 0.95) == pytest.approx((0.2 - below, 0.2 + above))
    # Newcombe 1998, "Improved confidence intervals ... paired data", table II, method 10.
    assert paired_difference(36, 12, 2, 0, 0.95) == pytest.approx((0.0569, 0.3404), abs=5e-5)


@given(*[st.integers(0, 40)] * 4)
def test_paired_difference_holds_the_estimate_and_mirrors(both: int, only_a: int, only_b: int, neither: int) -> None:
    low, high = paired_difference(both, only_a, only_b, neither, 0.95)
    total = both + only_a + only_b + neither
    assert -1 <= low <= (only_a - only_b) / max(total, 1) <= high <= 1
    assert paired_difference(both, only_b, only_a, neither, 0.95) == pytest.approx((-high, -low))


def test_seeds_widen_and_one_seed_does_not() -> None:
    assert widen_by_seeds((0.4, 0.6), [0.5], 0.95) == (0.4, 0.6)
    low, high = widen_by_seeds((0.4, 0.6), [0.45, 0.55], 0.95)
    reach = np.hypot(0.1, stats.t.ppf(0.975, 1) * 0.05)
    assert (low, high) == pytest.approx((0.5 - reach, 0.5 + reach))
