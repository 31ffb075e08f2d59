"""Scores of one classifier on one set of images, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score

from evenhand.evaluation.bootstrap import Ends, average_precision_interval, confusion_intervals
from evenhand.evaluation.calibration import expected_calibration_error
from evenhand.evaluation.confusion import ConfusionMeasures, confusion_matrix, measure_confusion
from evenhand.evaluation.intervals import geometric_mean, mean_of_proportions, smallest_proportion, wilson


@dataclass(frozen=True)
class ClassScores:
    """What a classifier does with one class; `_low` and `_high` end the interval of what stands before.

    Attributes:
      name: name of the class.
      support: images of the class.
      recall: share of them that are recognised, in [0, 1]; None without images.
      recall_low: of Wilson's interval.
      recall_high: of Wilson's interval.
      precision: share of the images called so that are so, in [0, 1]; 0 when none is called so.
      precision_low: of the stratified bootstrap; None without images of the class.
      precision_high: of the stratified bootstrap.
      f1: harmonic mean of precision and recall, in [0, 1].
      f1_low: of the stratified bootstrap; None without images of the class.
      f1_high: of the stratified bootstrap.
      specificity: share of the images of other classes that are not called so, in [0, 1]; None without such images.
      specificity_low: of Wilson's interval.
      specificity_high: of Wilson's interval.
      average_precision: of ranking all images by the class's probability, in [0, 1]; None without images of the class.
      average_precision_low: of the stratified bootstrap.
      average_precision_high: of the stratified bootstrap.
    """

    name: str
    support: int
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    precision: float
    precision_low: float | None
    precision_high: float | None
    f1: float
    f1_low: float | None
    f1_high: float | None
    specificity: float | None
    specificity_low: float | None
    specificity_high: float | None
    average_precision: float | None
    average_precision_low: float | None
    average_precision_high: float | None

    def to_dict(self) -> dict[str, Any]:
        """The object as it stands in result.json."""
        values = dict(self.__dict__)
        return {"class": values.pop("name"), **values}


@dataclass(frozen=True)
class Scores:
    """What a classifier does with a set of images; `_low` and `_high` end the interval of what stands before.

    Attributes:
      accuracy: share of all images that are recognised, in [0, 1].
      accuracy_low: of Wilson's interval.
      accuracy_high: of Wilson's interval.
      balanced_accuracy: mean recall over the classes that have images.
      balanced_accuracy_low: of the classes' Wilson intervals, added in quadrature.
      balanced_accuracy_high: likewise.
      macro_f1: mean F1 over the classes that occur among labels or predictions.
      macro_f1_low: of the stratified bootstrap.
      macro_f1_high: of the stratified bootstrap.
      weighted_f1: mean F1 weighted by the images of each class.
      weighted_f1_low: of the stratified bootstrap.
      weighted_f1_high: of the stratified bootstrap.
      geometric_mean: geometric mean of the recalls of the classes that have images; 0 as soon as one is never seen.
      geometric_mean_low: of the classes' Wilson intervals, added in quadrature on the logarithmic scale.
      geometric_mean_high: likewise.
      matthews: Matthews correlation of labels and predictions, in [-1, 1]; 0 for one single prediction.
      matthews_low: of the stratified bootstrap.
      matthews_high: of the stratified bootstrap.
      calibration_error: expected calibration error over 15 bins, in [0, 1].
      worst_class_recall: smallest recall of a class that has images.
      worst_class_recall_low: of the classes' Wilson intervals, whichever class is the worst.
      worst_class_recall_high: likewise.
      per_class: scores of each class, in the order of the class names.
    """

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    balanced_accuracy: float
    balanced_accuracy_low: float
    balanced_accuracy_high: float
    macro_f1: float
    macro_f1_low: float
    macro_f1_high: float
    weighted_f1: float
    weighted_f1_low: float
    weighted_f1_high: float
    geometric_mean: float
    geometric_mean_low: float
    geometric_mean_high: float
    matthews: float
    matthews_low: float
    matthews_high: float
    calibration_error: float
    worst_class_recall: float
    worst_class_recall_low: float
    worst_class_recall_high: float
    per_class: tuple[ClassScores, ...]

    def to_dict(self) -> dict[str, Any]:
        """The object as it stands in result.json."""
        return {**self.__dict__, "per_class": [scores.to_dict() for scores in self.per_class]}


def evaluate(
    labels: ArrayLike, probabilities: ArrayLike, class_names: Sequence[str], confidence: float = 0.95, seed: int = 0
) -> Scores:
    """Scores a classifier's probabilities.

    Args:
      labels: int[n], the true classes, each in [0, c); at least one image.
      probabilities: float[n, c], one row per image; the largest value is the prediction, the first one on a tie.
      class_names: the c names.
      confidence: the level of the intervals, in (0, 1).
      seed: of the bootstrap's draws.

    Returns:
      The scores; they agree with scikit-learn's of the same names.

    Raises:
      ValueError: if shapes do not fit, there is no image, a label is out of range or a probability is not finite.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    num_classes = len(class_names)
    if labels.ndim != 1 or len(labels) == 0 or probabilities.shape != (len(labels), num_classes):
        raise ValueError(
            f"expected labels [n] and probabilities [n, {num_classes}] with n > 0, "
            f"not {labels.shape} and {probabilities.shape}"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"labels must be in [0, {num_classes}), not in [{labels.min()}, {labels.max()}]")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities must be finite")
    matrix = confusion_matrix(labels, probabilities.argmax(axis=1), num_classes)
    measures = measure_confusion(matrix)
    drawn = confusion_intervals(matrix, confidence=confidence, seed=seed)
    per_class = tuple(
        _class_scores(name, k, matrix, measures, drawn, confidence)
        | _average_precision(labels == k, probabilities[:, k], confidence, seed)
        for k, name in enumerate(class_names)
    )
    return Scores(
        **_macro(matrix, measures, drawn, confidence),
        calibration_error=expected_calibration_error(labels, probabilities),
        per_class=tuple(ClassScores(**values) for values in per_class),
    )


def _macro(
    matrix: NDArray[np.int64], measures: ConfusionMeasures, drawn: dict[str, Ends], confidence: float
) -> dict[str, float]:
    """Measures over all classes with their intervals, by field of `Scores`."""
    support, right = matrix.sum(axis=1), matrix.diagonal()
    seen = support > 0
    shares = (right[seen], support[seen], confidence)
    ends = {
        "accuracy": wilson(float(right.sum()), float(support.sum()), confidence),
        "balanced_accuracy": mean_of_proportions(*shares),
        "geometric_mean": geometric_mean(*shares),
        "worst_class_recall": smallest_proportion(*shares),
        **{name: (float(drawn[name].low), float(drawn[name].high)) for name in ("macro_f1", "weighted_f1", "matthews")},
    }
    values: dict[str, float] = {}
    for name, (low, high) in ends.items():
        values |= {name: float(getattr(measures, name)), f"{name}_low": low, f"{name}_high": high}
    return values


def _class_scores(
    name: str,
    k: int,
    matrix: NDArray[np.int64],
    measures: ConfusionMeasures,
    drawn: dict[str, Ends],
    confidence: float,
) -> dict[str, Any]:
    """What the confusion matrix says of class k, by field of `ClassScores`."""
    support, right = int(matrix[k].sum()), int(matrix[k, k])
    others, wrong = int(matrix.sum()) - support, int(matrix[:, k].sum()) - right
    values: dict[str, Any] = {
        "name": name,
        "support": support,
        **_with_ends("recall", measures.recall[k], wilson(right, support, confidence) if support else None),
        **_with_ends(
            "specificity", measures.specificity[k], wilson(others - wrong, others, confidence) if others else None
        ),
    }
    for measure in ("precision", "f1"):
        ends = (drawn[measure].low[k], drawn[measure].high[k]) if support else None
        values |= _with_ends(measure, getattr(measures, measure)[k], ends)
    return values


def _average_precision(
    is_class: NDArray[np.bool_], scores: NDArray[np.floating], confidence: float, seed: int
) -> dict[str, float | None]:
    if not is_class.any():
        return _with_ends("average_precision", np.nan, None)
    # scikit-learn's sum may end a rounding error above 1.
    value = min(1.0, float(average_precision_score(is_class, scores)))
    return _with_ends(
        "average_precision", value, average_precision_interval(is_class, scores, confidence=confidence, seed=seed)
    )


def _with_ends(name: str, value: float, ends: tuple[float, float] | None) -> dict[str, float | None]:
    """A measure and its interval; None for what has no meaning."""
    low, high = (None, None) if ends is None else (float(ends[0]), float(ends[1]))
    return {name: None if np.isnan(value) else float(value), f"{name}_low": low, f"{name}_high": high}
