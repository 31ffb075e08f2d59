"""The three-sample test against hand-worked values, scipy, and generators that copy, fit and miss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, norm

from evenhand.evaluation.data_copying import data_copying_test, feature_cells, mann_whitney_z

VALUES = st.lists(st.integers(0, 6), min_size=2, max_size=30)


def test_z_of_a_worked_pair_of_samples() -> None:
    # U counts 1 > nothing, 4 > {2, 3}, 6 > {2, 3, 5}: 5 of 9; mean 4.5, variance 3 * 3 * 7 / 12 = 5.25.
    assert mann_whitney_z([1, 4, 6], [2, 3, 5]) == pytest.approx(0.5 / np.sqrt(5.25))


@given(VALUES, VALUES)
def test_z_agrees_with_scipy_also_with_ties(first: list[int], second: list[int]) -> None:
    z = mann_whitney_z(first, second)
    if len(set(first + second)) == 1:
        assert z == 0
        return
    expected = mannwhitneyu(first, second, use_continuity=False, alternative="less", method="asymptotic").pvalue
    assert norm.cdf(z) == pytest.approx(expected, abs=1e-9)
    assert mann_whitney_z(second, first) == pytest.approx(-z, abs=1e-12)


def test_the_statistic_weights_cells_by_their_held_out_images() -> None:
    # One feature; cell 0 has its training image at 0, cell 1 at 100. Distances of generated | held-out images:
    # cell 0: 1, 2 | 3, 4 gives U = 0 of 4, z = -2 / sqrt(4 * 5 / 12); cell 1: 5, 6, 7 | 1 gives U = 3, z = +1.5 / sd.
    train = [[0.0], [100.0]], [0, 1]
    synthetic = [[1.0], [2.0], [105.0], [106.0], [107.0]], [0, 0, 1, 1, 1]
    held_out = [[3.0], [-4.0], [101.0]], [0, 0, 1]
    result = data_copying_test(synthetic, train, held_out, least_synthetic=2, least_held_out=1)
    first, second = -2 / np.sqrt(4 * 5 / 12), 1.5 / np.sqrt(3 * 5 / 12)
    np.testing.assert_allclose(result.z, [first, second])
    assert result.statistic == pytest.approx(2 / 3 * first + 1 / 3 * second)
    assert result.p == pytest.approx(norm.cdf(result.statistic / np.sqrt(5 / 9)))


def test_cells_with_too_few_images_do_not_count() -> None:
    train = [[0.0], [9.0]], [0, 1]
    synthetic, held_out = (
        ([[1.0]] * 20 + [[8.0]] * 19, [0] * 20 + [1] * 19),
        ([[2.0]] * 5 + [[7.0]] * 5, [0] * 5 + [1] * 5),
    )
    result = data_copying_test(synthetic, train, held_out)
    assert np.isfinite(result.z[0]) and np.isnan(result.z[1])
    assert result.statistic == result.z[0]
    nothing = data_copying_test(([[1.0]], [0]), train, held_out)
    assert nothing.statistic is None and nothing.p is None


def test_copying_fitting_and_missing_generators_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    centres = np.repeat([[0.0] * 4, [20.0] * 4, [40.0] * 4], 200, axis=0)
    cells = np.repeat(np.arange(3), 200)
    train, held_out, fresh = (centres + rng.normal(size=(600, 4)) for _ in range(3))
    outcomes = {
        "copies": train + rng.normal(0, 0.05, train.shape),
        "fits": fresh,
        "misses": fresh + 3,
    }
    seen = {name: data_copying_test((x, cells), (train, cells), (held_out, cells)) for name, x in outcomes.items()}
    assert seen["copies"].statistic < -5 and seen["copies"].p < 1e-6
    assert abs(seen["fits"].statistic) < 3
    assert seen["misses"].statistic > 5


def test_cells_by_k_means_are_those_of_the_groups() -> None:
    rng = np.random.default_rng(0)
    centres = np.repeat([[0.0, 0.0], [30.0, 0.0], [0.0, 30.0]], 40, axis=0)
    train, others = (centres + rng.normal(size=centres.shape) for _ in range(2))
    own, theirs = feature_cells(train, others, num_cells=3, seed=0)
    np.testing.assert_array_equal(own, theirs)
    assert len({tuple(part) for part in own.reshape(3, 40)}) == 3 and all(len(set(p)) == 1 for p in own.reshape(3, 40))
