"""Recall under priors and in groups against scikit-learn and hand-worked values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from evenhand.evaluation.class_weightings import group_members, priors, weighted_recall
from evenhand.evaluation.intervals import mean_of_proportions


def test_priors_by_hand() -> None:
    found = priors([60, 10, 30])
    np.testing.assert_allclose(found["balanced"], [1 / 3] * 3)
    np.testing.assert_allclose(found["training"], [0.6, 0.1, 0.3])
    np.testing.assert_allclose(found["reversed"], [0.1, 0.6, 0.3])


@given(st.lists(st.integers(0, 500), min_size=2, max_size=30).filter(any))
@settings(deadline=None)
def test_reversing_keeps_the_shares_and_turns_their_order(counts: list[int]) -> None:
    found = priors(counts)
    assert sorted(found["reversed"]) == pytest.approx(sorted(found["training"]))
    assert found["reversed"][np.argsort(counts, kind="stable")] == pytest.approx(sorted(found["training"])[::-1])


def test_groups_hold_each_class_once() -> None:
    found = group_members([500, 100, 20, 19, 1])
    assert {name: list(members) for name, members in found.items()} == {
        "many": [1, 0, 0, 0, 0],
        "medium": [0, 1, 1, 0, 0],
        "few": [0, 0, 0, 1, 1],
    }
    assert list(group_members([500, 600])) == ["many"]


def test_weights_of_the_images_give_accuracy_and_equal_ones_balanced_accuracy() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(4, 300, p=[0.6, 0.2, 0.15, 0.05])
    predicted = np.where(rng.random(300) < 0.7, labels, rng.integers(0, 4, 300))
    counts = np.bincount(labels)
    assert weighted_recall(labels, predicted, counts).recall == pytest.approx(accuracy_score(labels, predicted))
    balanced = weighted_recall(labels, predicted, np.ones(4))
    assert balanced.recall == pytest.approx(balanced_accuracy_score(labels, predicted))
    right = np.bincount(labels[labels == predicted], minlength=4)
    assert (balanced.low, balanced.high) == pytest.approx(mean_of_proportions(right, counts))


def test_only_classes_that_count_and_have_images() -> None:
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    assert weighted_recall(labels, predicted, [0, 1, 5]).recall == 0.5
    assert weighted_recall(labels, predicted, [0, 0, 1]) is None


def test_seeds_that_disagree_widen() -> None:
    labels = np.repeat([0, 1], 100)
    lucky = np.stack([labels, np.zeros(200, int)])
    agreed = weighted_recall(labels, labels, [1, 1])
    torn = weighted_recall(labels, lucky, [1, 1])
    assert torn.recall == 0.75
    assert torn.high - torn.low > agreed.high - agreed.low
