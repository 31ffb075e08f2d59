"""The interval of a change over pairs of seeds: it covers, and it is narrow where the pairs agree."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.strategy_study.paired import paired_over_seeds
from evenhand.evaluation.change_interval import over_seeds

TRIALS = 300
WEIGHTS = np.full(4, 0.25)


def pair(
    rng: np.random.Generator, images: int, gain: float, common: float, own: float
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """bool[5, images] per class and side: seeds differ in a skill that both sides share, and in one of their own."""
    skill = rng.normal(0, common, 5)
    sides = [skill + rng.normal(0, own, 5) + added for added in (gain, 0.0)]
    ease = [rng.uniform(0.2, 0.8, images) for _ in WEIGHTS]
    first, second = ([rng.random((5, images)) < one + side[:, None] for one in ease] for side in sides)
    return first, second


@pytest.mark.parametrize(("images", "gain"), [(100, 0.0), (1000, 0.0), (1000, 0.02)])
def test_covers_over_pairs_and_images(images: int, gain: float) -> None:
    held = helped = 0
    for trial in range(TRIALS):
        first, second = pair(np.random.default_rng(trial), images, gain, common=0.03, own=0.01)
        low, high = paired_over_seeds(first, second, WEIGHTS).interval()
        held += low <= gain <= high
        helped += low > 0
    # What a true coverage of 95%, or true false alarms of 2.5%, would show at least or at most, but once in 1,000.
    assert held >= stats.binom.ppf(0.001, TRIALS, 0.95)
    if not gain:
        assert helped <= stats.binom.ppf(0.999, TRIALS, 0.025)


def test_with_certain_images_it_is_students_t_of_the_pairs() -> None:
    # One class of very many images leaves the pairs alone, whose accuracies are those below.
    ours, theirs = np.array([[0.80, 0.82, 0.85, 0.81], [0.78, 0.79, 0.84, 0.80]])
    first, second = ([np.arange(20_000) < np.round(20_000 * row)[:, None]] for row in (ours, theirs))
    found = paired_over_seeds(first, second, np.ones(1))
    low, high = stats.ttest_rel(ours, theirs).confidence_interval()
    assert found.change == pytest.approx(np.mean(ours - theirs))
    assert found.interval() == pytest.approx((low, high), abs=1e-3)


def test_is_narrower_where_seeds_move_both_sides() -> None:
    first, second = pair(np.random.default_rng(0), 1000, 0.02, common=0.05, own=0.003)
    paired, apart = (measure(first, second, WEIGHTS) for measure in (paired_over_seeds, over_seeds))
    assert paired.change == pytest.approx(apart.change)
    assert np.ptp(paired.interval()) < np.ptp(apart.interval()) / 2


def test_equal_sides_show_no_change() -> None:
    first, _ = pair(np.random.default_rng(0), 50, 0.0, 0.05, 0.02)
    found = paired_over_seeds(first, first, WEIGHTS)
    assert (found.change, found.interval(), found.p) == (0.0, (0.0, 0.0), 1.0)
