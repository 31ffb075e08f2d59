"""Human ratings: hand-worked means, Mann-Whitney by scipy, Krippendorff's published example, coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evenhand.evaluation.rater_agreement import rater_agreement
from evenhand.evaluation.rating_intervals import LEVELS, mean_rating_interval, told_apart, told_apart_interval
from evenhand.evaluation.realism import Ratings, measure_realism


def ratings(rows: list[tuple[int, bool, int, int, int]]) -> Ratings:
    """From (value, is real, image, label, rater)."""
    values, real, images, labels, raters = (np.array(column) for column in zip(*rows, strict=True))
    return Ratings(values, real.astype(bool), images, labels, raters)


def counts(values: np.ndarray) -> np.ndarray:
    return np.bincount(values, minlength=LEVELS + 1)[1:]


levels = st.lists(st.integers(1, LEVELS), min_size=1, max_size=40)


@given(levels, levels)
def test_told_apart_is_the_mann_whitney_statistic(real: list[int], synthetic: list[int]) -> None:
    expected = stats.mannwhitneyu(real, synthetic).statistic / (len(real) * len(synthetic))
    assert told_apart(counts(np.array(real)), counts(np.array(synthetic))) == pytest.approx(expected)


@given(st.floats(0, 1), st.integers(1, 200), st.integers(1, 200))
def test_its_interval_holds_it_and_leaves_doubt(value: float, num_real: int, num_synthetic: int) -> None:
    low, high = told_apart_interval(value, num_real, num_synthetic, 0.95)
    assert 0 <= low <= value <= high <= 1
    assert high - low > 0


def test_one_rater_by_hand() -> None:
    found = measure_realism(
        ratings([(5, True, 0, 0, 0), (4, True, 1, 0, 0), (3, True, 2, 1, 0), (4, False, 3, 0, 0), (1, False, 4, 1, 0)]),
        ["cat", "dog"],
        ["me"],
    )
    overall = found.overall
    assert (overall.num_real, overall.num_synthetic) == (3, 2)
    assert (overall.real_counts, overall.synthetic_counts) == ((0, 0, 1, 1, 1), (1, 0, 0, 1, 0))
    assert (overall.real.value, overall.synthetic.value, overall.difference.value) == (4.0, 2.5, -1.5)
    # Of the six pairs the real image is higher in four (5 and 4 above 1, 5 above 4, 3 above 1), and one is equal.
    assert overall.told_apart.value == pytest.approx(4.5 / 6)
    # Variance of 5, 4, 3 with 1 and 5 added: mean 3.6, squares 76 / 5 - 12.96 = 2.24, over five images.
    reach = stats.t.ppf(0.975, 2) * np.sqrt(2.24 / 5)
    assert overall.real.low == pytest.approx(4 - reach)
    assert overall.real.high == 5.0
    assert found.agreement is None
    assert "Student" in found.interval
    assert [name for name, _ in found.per_class] == ["cat", "dog"]
    assert found.per_class[1][1].told_apart.value == 1.0
    assert found.per_rater == (("me", overall),)


def test_nothing_rated_and_one_source_only() -> None:
    empty = Ratings(*(np.zeros(0, dtype) for dtype in (int, bool, int, int, int)))
    found = measure_realism(empty, ["cat"], [])
    assert (found.overall.real, found.overall.told_apart, found.agreement) == (None, None, None)
    found = measure_realism(ratings([(5, True, 0, 0, 0), (4, True, 0, 0, 1)]), ["cat"], ["a", "b"])
    assert found.overall.real.value == 4.5
    assert (found.overall.synthetic, found.overall.difference, found.overall.told_apart) == (None, None, None)


def test_raters_are_compared_within_themselves() -> None:
    # One uses 1 and 2 only, the other 4 and 5; each tells all apart, though pooled ratings would not.
    rows = [(2, True, 0, 0, 0), (1, False, 1, 0, 0), (5, True, 2, 0, 1), (4, False, 3, 0, 1)]
    found = measure_realism(ratings(rows), ["cat"], ["a", "b"])
    assert found.overall.told_apart.value == 1.0
    assert found.overall.real.value == 3.5
    assert "over raters" in found.interval


def test_the_interval_of_several_raters_holds_their_differences() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (int(np.clip(rng.integers(2, 4) + s, 1, 5)), i % 2 == 0, i, 0, r)
        for r, s in enumerate((0, 2))
        for i in range(60)
    ]
    both = measure_realism(ratings(rows), ["cat"], ["a", "b"])
    alone = measure_realism(ratings(rows[:60]), ["cat"], ["a"])
    assert both.overall.real.high - both.overall.real.low > 2 * (alone.overall.real.high - alone.overall.real.low)
    assert both == measure_realism(ratings(rows), ["cat"], ["a", "b"])
    assert both.agreement.num_images == 60


def test_a_twice_rated_image_and_other_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="rated an image twice"):
        ratings([(5, True, 0, 0, 0), (4, True, 0, 0, 0)])
    with pytest.raises(ValueError, match="must be in"):
        ratings([(6, True, 0, 0, 0)])


def test_krippendorffs_published_example() -> None:
    # Computing Krippendorff's Alpha-Reliability, 2011, section C: four observers, twelve units; ordinal 0.815.
    observers = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
    values, units = [], []
    for row in observers:
        for unit, value in enumerate(row):
            if value != ".":
                values.append(int(value))
                units.append(unit)
    found = rater_agreement(values, units, 5)
    assert found.alpha == pytest.approx(0.815, abs=5e-4)
    assert found.num_images == 11


def test_agreement_at_its_ends() -> None:
    assert rater_agreement([1, 2], [0, 1], 5) is None
    assert rater_agreement([3, 3, 3, 3], [0, 0, 1, 1], 5).alpha is None
    full = rater_agreement([1, 1, 5, 5], [0, 0, 1, 1], 5)
    assert (full.alpha, full.equal) == (1.0, 1.0)
    assert rater_agreement([1, 5, 5, 1], [0, 0, 1, 1], 5).alpha < 0


@settings(max_examples=10)
@given(st.integers(1, LEVELS), st.integers(1, 50))
def test_equal_ratings_leave_doubt(value: int, number: int) -> None:
    low, high = mean_rating_interval(np.full(number, float(value)), float(value), 0.95)
    assert 1 <= low <= value <= high <= LEVELS
    assert high > low


@pytest.mark.parametrize("shares", [(0.05, 0.1, 0.2, 0.3, 0.35), (0.0, 0.0, 0.02, 0.08, 0.9), (0.2,) * 5])
@pytest.mark.parametrize("number", [5, 20, 60])
def test_intervals_cover(shares: tuple[float, ...], number: int) -> None:
    rng = np.random.default_rng(0)
    p, q = np.array(shares), np.array((0.3, 0.3, 0.2, 0.1, 0.1))
    scale = np.arange(1, LEVELS + 1)
    mean, apart = float(p @ scale), float(told_apart(p, q))
    covered = np.zeros(2)
    num_trials = 400
    for _ in range(num_trials):
        real, synthetic = rng.multinomial(number, p), rng.multinomial(number, q)
        values = np.repeat(scale, real).astype(float)
        low, high = mean_rating_interval(values, float(values.mean()), 0.95)
        covered[0] += low <= mean <= high
        low, high = told_apart_interval(float(told_apart(real, synthetic)), number, number, 0.95)
        covered[1] += low <= apart <= high
    assert (covered / num_trials > 0.92).all()


def study(rng: np.random.Generator, num_raters: int, num_images: int) -> Ratings:
    """Raters who differ in strictness and in how well they tell images apart, on images that differ too."""
    strictness, skill = rng.normal(0, 0.6, num_raters), rng.normal(1, 0.4, num_raters)
    rows = []
    for is_real, middle in ((True, 0.5), (False, -0.5)):
        noise = rng.normal(0, 0.7, num_images) + rng.normal(0, 0.6, (num_raters, num_images))
        seen = 3 + (middle * skill + strictness)[:, None] + noise
        values = np.clip(np.round(seen), 1, LEVELS).astype(int)
        for (rater, image), value in np.ndenumerate(values):
            rows.append((value, is_real, image if is_real else num_images + image, 0, rater))
    return ratings(rows)


@pytest.mark.parametrize("num_raters", [2, 5])
def test_intervals_over_raters_cover(num_raters: int) -> None:
    rng = np.random.default_rng(0)
    names = [str(rater) for rater in range(400)]
    truth = measure_realism(study(rng, 400, 50), ["cat"], names).overall
    covered = np.zeros(3)
    num_trials = 100
    for _ in range(num_trials):
        found = measure_realism(study(rng, num_raters, 40), ["cat"], names[:num_raters]).overall
        for k, name in enumerate(("real", "difference", "told_apart")):
            estimate = getattr(found, name)
            covered[k] += estimate.low <= getattr(truth, name).value <= estimate.high
    assert (covered / num_trials >= 0.9).all()
