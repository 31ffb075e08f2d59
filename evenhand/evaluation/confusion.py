"""Measures of confusion matrices, many matrices at once, so that a bootstrap costs one call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LEAST = 1e-300


@dataclass(frozen=True)
class ConfusionMeasures:
    """What confusion matrices say; leading axes are those of the matrices, NaN where a measure has no meaning.

    Attributes:
      recall: float64[..., c], share of a class's images that are recognised; NaN without images.
      precision: float64[..., c], share of the images called so that are so; 0 when none is called so.
      f1: float64[..., c], harmonic mean of precision and recall; 0 for a class that never occurs.
      specificity: float64[..., c], share of the other classes' images that are not called so; NaN without such images.
      accuracy: float64[...], share of all images that are recognised.
      balanced_accuracy: float64[...], mean recall over the classes that have images.
      macro_f1: float64[...], mean F1 over the classes that occur among labels or predictions.
      weighted_f1: float64[...], mean F1 weighted by the images of each class.
      geometric_mean: float64[...], geometric mean of the recalls of the classes that have images.
      matthews: float64[...], Matthews correlation of labels and predictions, in [-1, 1]; 0 for one single prediction.
      worst_class_recall: float64[...], smallest recall of a class that has images.
    """

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    f1: NDArray[np.float64]
    specificity: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    balanced_accuracy: NDArray[np.float64]
    macro_f1: NDArray[np.float64]
    weighted_f1: NDArray[np.float64]
    geometric_mean: NDArray[np.float64]
    matthews: NDArray[np.float64]
    worst_class_recall: NDArray[np.float64]


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, num_classes: int) -> NDArray[np.int64]:
    """int64[c, c], how many images of the row's class were called the column's.

    Args:
      labels: int[n], true classes in [0, c).
      predicted: int[n], predicted classes in [0, c).
      num_classes: c.
    """
    cells = np.asarray(labels, np.int64) * num_classes + np.asarray(predicted, np.int64)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def measure_confusion(matrices: ArrayLike) -> ConfusionMeasures:
    """Measures of each matrix; they agree with scikit-learn's of the same names.

    Args:
      matrices: float[..., c, c], images by true class (row) and predicted class; not negative, not all zero.
    """
    cells = np.asarray(matrices, np.float64)
    return measure_margins(np.diagonal(cells, axis1=-2, axis2=-1), cells.sum(axis=-1), cells.sum(axis=-2))


def measure_margins(
    right: NDArray[np.float64], support: NDArray[np.float64], predicted: NDArray[np.float64]
) -> ConfusionMeasures:
    """The same, from what the measures need of the matrices.

    Args:
      right: float64[..., c], diagonals.
      support: float64[..., c], sums of the rows.
      predicted: float64[..., c], sums of the columns.
    """
    total, correct = support.sum(axis=-1), right.sum(axis=-1)
    others = total[..., None] - support
    seen = support > 0
    recall = np.divide(right, support, out=np.full_like(support, np.nan), where=seen)
    # A class that does not occur at all counts in no mean.
    f1 = 2 * right / np.maximum(support + predicted, _LEAST)
    occurs = (support + predicted) > 0
    wrong = predicted - right
    filled = np.where(seen, recall, 0.0)
    num_seen = seen.sum(axis=-1)
    return ConfusionMeasures(
        recall=recall,
        precision=right / np.maximum(predicted, _LEAST),
        f1=f1,
        specificity=np.divide(others - wrong, others, out=np.full_like(others, np.nan), where=others > 0),
        accuracy=correct / total,
        balanced_accuracy=filled.sum(axis=-1) / num_seen,
        macro_f1=f1.sum(axis=-1) / occurs.sum(axis=-1),
        weighted_f1=(f1 * support).sum(axis=-1) / total,
        geometric_mean=_geometric_mean(filled, seen),
        matthews=_matthews(correct, total, support, predicted),
        worst_class_recall=np.where(seen, filled, 1.0).min(axis=-1),
    )


def _geometric_mean(values: NDArray[np.float64], counts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Over the last axis, of the values that count; 0 as soon as one of them is."""
    logarithms = np.where(counts, np.log(np.maximum(values, _LEAST)), 0.0)
    mean = np.exp(logarithms.sum(axis=-1) / counts.sum(axis=-1))
    return np.where((counts & (values == 0.0)).any(axis=-1), 0.0, mean)


def _matthews(
    correct: NDArray[np.float64],
    total: NDArray[np.float64],
    support: NDArray[np.float64],
    predicted: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Gorodkin, Comparing Two K-Category Assignments by a K-Category Correlation Coefficient, 2004."""
    covariance = correct * total - (support * predicted).sum(axis=-1)
    spread = (total**2 - (support**2).sum(axis=-1)) * (total**2 - (predicted**2).sum(axis=-1))
    root = np.sqrt(np.maximum(spread, 0.0))
    return np.clip(np.divide(covariance, root, out=np.zeros_like(covariance), where=root > 0), -1.0, 1.0)
