"""Measures of confusion matrices against scikit-learn and imbalanced-learn, one at a time and many at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from imblearn.metrics import geometric_mean_score, specificity_score
from sklearn import metrics

from evenhand.evaluation.confusion import confusion_matrix, measure_confusion

ANSWERS = st.integers(2, 5).flatmap(
    lambda c: st.tuples(
        st.just(c), arrays.arrays(np.int64, st.tuples(st.just(2), st.integers(1, 60)), elements=st.integers(0, c - 1))
    )
)


@given(ANSWERS)
@settings(deadline=None)
def test_agrees_with_scikit_learn(case: tuple[int, np.ndarray]) -> None:
    num_classes, (labels, predicted) = case
    matrix = confusion_matrix(labels, predicted, num_classes)
    every = range(num_classes)
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(labels, predicted, labels=every))
    found = measure_confusion(matrix)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=0
    )
    np.testing.assert_allclose(found.precision, precision, atol=1e-6)
    np.testing.assert_allclose(found.recall, np.where(support, recall, np.nan), atol=1e-6)
    np.testing.assert_allclose(found.f1, f1, atol=1e-6)
    expected = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": recall[support > 0].mean(),
        "macro_f1": metrics.f1_score(labels, predicted, average="macro", zero_division=0),
        "weighted_f1": metrics.f1_score(labels, predicted, average="weighted", zero_division=0),
        "matthews": metrics.matthews_corrcoef(labels, predicted),
        "worst_class_recall": recall[support > 0].min(),
    }
    for name, value in expected.items():
        assert float(getattr(found, name)) == pytest.approx(value, abs=1e-6), name


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_agrees_with_imbalanced_learn_where_every_class_occurs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, predicted = np.concatenate([[np.arange(4)] * 2, rng.integers(0, 4, (2, 40))], axis=1)
    found = measure_confusion(confusion_matrix(labels, predicted, 4))
    assert float(found.geometric_mean) == pytest.approx(geometric_mean_score(labels, predicted), abs=1e-6)
    np.testing.assert_allclose(found.specificity, specificity_score(labels, predicted, average=None), atol=1e-6)


def test_many_matrices_at_once_are_each_alone() -> None:
    matrices = np.random.default_rng(0).integers(0, 6, (3, 7, 4, 4))
    matrices[0, 0, 2] = 0  # a class without images
    together = measure_confusion(matrices)
    for place in np.ndindex(3, 7):
        alone = measure_confusion(matrices[place])
        for name, value in alone.__dict__.items():
            np.testing.assert_allclose(getattr(together, name)[place], value, equal_nan=True)


def test_classes_without_images_or_answers() -> None:
    found = measure_confusion([[2, 0, 1], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(found.recall, [2 / 3, 0, np.nan])
    np.testing.assert_allclose(found.precision, [2 / 3, 0, 0])
    assert float(found.balanced_accuracy) == pytest.approx(1 / 3)
    assert float(found.geometric_mean) == pytest.approx(0, abs=1e-100)
    assert float(measure_confusion([[3, 0], [2, 0]]).matthews) == 0


def test_geometric_mean_of_many_classes_is_0_as_soon_as_one_is_never_seen() -> None:
    matrix = np.eye(200) * 10
    matrix[3, 3], matrix[3, 4] = 0, 10
    assert measure_confusion(matrix).geometric_mean == 0.0
    both = measure_confusion(np.stack([matrix, np.eye(200)])).geometric_mean
    np.testing.assert_array_equal(both, [0.0, 1.0])
