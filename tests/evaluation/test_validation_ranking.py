"""Ranking on validation: worked by hand, and not fooled by few images."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from evenhand.evaluation.validation_ranking import mean_recall, ranked, standard_error, standard_error_of_difference


def test_mean_recall_is_balanced_accuracy() -> None:
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    assert mean_recall(labels, labels == predicted) == pytest.approx(balanced_accuracy_score(labels, predicted))


def test_standard_errors_worked_by_hand() -> None:
    labels = np.array([0, 0, 2, 2, 2, 2])
    first = np.array([True, True, True, False, True, True])
    second = np.array([True, False, True, True, True, True])
    # Class 0: (2 + 1) / 4 and class 2: (3 + 1) / 6; class 1 has no image.
    expected = np.sqrt(0.75 * 0.25 / 4 + (2 / 3) * (1 / 3) / 6) / 2
    assert standard_error(labels, first) == pytest.approx(expected)
    # Class 0: one image speaks for the first; class 2: one for the second.
    variance = (1 - 1 / 2 + 1) / 2**2 + (1 - 1 / 4 + 1) / 4**2
    assert standard_error_of_difference(labels, first, second) == pytest.approx(np.sqrt(variance) / 2)


def test_four_images_decide_nothing() -> None:
    labels = np.arange(4)
    lucky, unlucky = np.array([True, True, True, True]), np.array([True, True, True, False])
    assert ranked(labels, {"unlucky": unlucky, "lucky": lucky}, ["unlucky", "lucky"]) == (["unlucky", "lucky"], 2)


def test_where_no_order_decides_the_highest_score_does() -> None:
    labels = np.repeat(np.arange(4), 100)
    rng = np.random.default_rng(0)
    poor, best = rng.random(400) < 0.5, rng.random(400) < 0.9
    good, twin = best & (np.arange(400) != np.flatnonzero(best)[0]), best.copy()
    scores = {"poor": poor, "good": good, "best": best, "twin": twin}
    assert ranked(labels, scores, list(scores)) == (["good", "best", "twin", "poor"], 3)
    order = ["poor", "good", "twin", "best"]
    assert ranked(labels, scores, order, order_decides=False) == (["twin", "best", "good", "poor"], 3)


def test_many_images_decide_against_the_order() -> None:
    labels = np.repeat(np.arange(4), 100)
    rng = np.random.default_rng(0)
    better, worse = rng.random(400) < 0.9, rng.random(400) < 0.7
    order, near = ranked(labels, {"worse": worse, "better": better}, ["worse", "better"])
    assert order == ["better", "worse"] and near == 1


def test_pairs_tell_apart_what_scores_alone_do_not() -> None:
    labels = np.repeat(np.arange(2), 200)
    hard = np.tile(np.arange(200) < 100, 2)
    worse = ~hard
    better = worse | np.tile(np.arange(200) % 25 == 0, 2)
    gain = mean_recall(labels, better) - mean_recall(labels, worse)
    assert standard_error(labels, worse) > gain > standard_error_of_difference(labels, better, worse)


def test_no_images_are_refused() -> None:
    with pytest.raises(ValueError, match="no images"):
        mean_recall(np.zeros(0, int), np.zeros(0, bool))
