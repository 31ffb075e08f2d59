"""Spread of classes, by hand and against the mean over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from evenhand.evaluation.diversity import class_spread, relative_diversity


def test_spread_is_the_root_mean_square_distance_of_pairs() -> None:
    numbers = np.random.default_rng(0)
    features, labels = numbers.normal(size=(12, 5)), np.repeat([0, 1], (8, 4))
    expected = [np.sqrt(np.mean(pdist(features[labels == label]) ** 2)) for label in (0, 1)]
    np.testing.assert_allclose(class_spread(features, labels, 2), expected)


def test_spread_of_fewer_than_two_images_is_unknown() -> None:
    assert np.isnan(class_spread([[1.0]], [1], 2)).all()


def test_copies_have_no_diversity_and_life_has_one() -> None:
    real = np.random.default_rng(0).normal(size=(400, 3))
    labels = np.repeat([0, 1], 200)
    synthetic = np.concatenate([np.random.default_rng(1).normal(size=(200, 3)), np.zeros((200, 3))])
    alive, dead = relative_diversity(real, labels, synthetic, labels, 2)
    assert alive == pytest.approx(1.0, abs=0.1)
    assert dead == 0.0


def test_a_small_class_is_measured_by_the_spread_of_the_others() -> None:
    real = np.concatenate([np.random.default_rng(0).normal(size=(50, 2)), np.zeros((3, 2))])
    labels = np.repeat([0, 1], (50, 3))
    synthetic = np.random.default_rng(1).normal(size=(100, 2))
    value = relative_diversity(real, labels, synthetic, np.repeat([0, 1], 50), 2)[1]
    assert 0.7 < value < 1.4


def test_without_two_real_images_of_any_class_nothing_is_known() -> None:
    assert np.isnan(relative_diversity([[0.0], [1.0]], [0, 1], [[0.0], [1.0]], [0, 0], 2)).all()
