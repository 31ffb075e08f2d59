"""The interval of a change over several seeds: it covers, on few images and many, and says so of chance alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evenhand.evaluation.change_interval import change_interval, over_seeds

TRIALS = 300


def side(rng: np.random.Generator, ease: list[np.ndarray], seeds: int, gain: float, spread: float) -> list[np.ndarray]:
    """bool[seeds, images] per class: images differ in ease, seeds in skill, in all classes and in each."""
    skill = rng.normal(0, spread, seeds)
    return [
        rng.random((seeds, len(images)))
        < np.clip(images + gain + (skill + rng.normal(0, spread, seeds))[:, None], 0, 1)
        for images in ease
    ]


def true_change(gain: float, spread: float) -> float:
    rng = np.random.default_rng(9)
    before, after = (
        np.clip(rng.beta(4, 1, 10**6) + shift + rng.normal(0, spread * np.sqrt(2), 10**6), 0, 1).mean()
        for shift in (0, gain)
    )
    return float(after - before)


@pytest.mark.parametrize(
    ("seeds", "images", "gain", "spread"),
    [(2, 45, 0.0, 0.02), (3, 45, 0.05, 0.02), (5, 45, 0.0, 0.02), (5, 1000, 0.0, 0.03), (5, 1000, 0.03, 0.02)],
)
def test_covers_over_seeds_and_images(seeds: int, images: int, gain: float, spread: float) -> None:
    truth = true_change(gain, spread) if gain else 0.0
    weights = np.full(4, 0.25)
    held = helped = 0
    for trial in range(TRIALS):
        rng = np.random.default_rng(trial)
        ease = [rng.beta(4, 1, images) for _ in range(4)]
        found = over_seeds(side(rng, ease, seeds, gain, spread), side(rng, ease, seeds, 0.0, spread), weights)
        low, high = found.interval()
        assert (found.p < 0.05) == (low > 0 or high < 0)
        held += low <= truth <= high
        helped += low > 0
    # What a true coverage of 95%, or true false alarms of 2.5%, would show at least or at most, but once in 1,000.
    assert held >= stats.binom.ppf(0.001, TRIALS, 0.95)
    if not gain:
        assert helped <= stats.binom.ppf(0.999, TRIALS, 0.025)


def test_with_certain_images_it_is_welchs() -> None:
    # One class of very many images leaves the seeds alone, whose means are those below.
    means = np.array([[0.80, 0.82, 0.85, 0.81], [0.78, 0.79, 0.77, 0.80]])
    a, b = ([np.arange(20_000) < np.round(20_000 * row)[:, None]] for row in means)
    expected = stats.ttest_ind(means[0], means[1], equal_var=False).confidence_interval(0.95)
    assert over_seeds(a, b, np.ones(1)).interval() == pytest.approx((expected.low, expected.high), abs=2e-4)


def test_with_certain_seeds_it_is_that_of_images() -> None:
    rng = np.random.default_rng(0)
    a, b = (np.tile(rng.random(400) < share, (5, 1)) for share in (0.9, 0.8))
    change, padded = a[0].astype(float) - b[0], 402
    # Agresti and Min 2005: a normal interval after half an image in each cell of the table.
    variance = ((change @ change + 1) / padded - (change.sum() / padded) ** 2) / padded
    reach = stats.norm.ppf(0.975) * np.sqrt(variance)
    assert over_seeds([a], [b], np.ones(1)).interval() == pytest.approx((change.mean() - reach, change.mean() + reach))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_holds_the_change_and_mirrors(seed: int, seeds: int, images: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = ([rng.random((seeds, images)) < 0.8, rng.random((seeds, 2 * images)) < 0.6] for _ in range(2))
    weights = np.array([0.3, 0.7])
    change = weights @ [x.mean() - y.mean() for x, y in zip(a, b, strict=True)]
    low, high = change_interval(a, b, weights, num_resamples=200)
    assert -1 <= low <= change <= high <= 1
    if seeds > 1:
        assert over_seeds(b, a, weights).interval() == pytest.approx((-high, -low))


@pytest.mark.parametrize("images", [1, 5, 12])
def test_seeds_that_agree_on_few_images_are_no_certainty(images: int) -> None:
    a, b = np.ones((2, images), bool), np.ones((2, images), bool)
    a[0, 0] = b[1, 0] = False  # The seeds differ, their means do not.
    low, high = over_seeds([a], [b], np.ones(1)).interval()
    assert low < 0.0 < high and high - low > 1.0 / (images + 2)
