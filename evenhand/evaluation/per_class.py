"""Scores of one classifier on one set of images, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, matthews_corrcoef

from evenhand.evaluation.calibration import expected_calibration_error
from evenhand.evaluation.intervals import mean_of_proportions, widen_by_seeds, wilson

_PLAIN_MEANS = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "weighted_f1",
    "geometric_mean",
    "matthews",
    "calibration_error",
    "worst_class_recall",
)
"""Fields of `Scores` whose value over several seeds is just the mean."""


@dataclass(frozen=True)
class ClassScores:
    """What a classifier does with one class.

    Attributes:
      name: name of the class.
      support: images of the class.
      recall: share of them that are recognised, in [0, 1]; None without images.
      recall_low: lower end of its Wilson interval.
      recall_high: upper end of its Wilson interval.
      precision: share of the images called so that are so, in [0, 1]; 0 when none is called so.
      f1: harmonic mean of precision and recall, in [0, 1].
      specificity: share of the images of other classes that are not called so, in [0, 1]; None without such images.
      average_precision: of ranking all images by the class's probability, in [0, 1]; None without images of the class.
    """

    name: str
    support: int
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    precision: float
    f1: float
    specificity: float | None
    average_precision: float | None

    def to_dict(self) -> dict[str, Any]:
        """The object as it stands in result.json."""
        values = dict(self.__dict__)
        return {"class": values.pop("name"), **values}


@dataclass(frozen=True)
class Scores:
    """What a classifier does with a set of images.

    Attributes:
      accuracy: share of all images that are recognised, in [0, 1].
      balanced_accuracy: mean recall over the classes that have images.
      balanced_accuracy_low: lower end of its interval.
      balanced_accuracy_high: upper end of its interval.
      macro_f1: mean F1 over the classes that occur among labels or predictions.
      weighted_f1: mean F1 weighted by the images of each class.
      geometric_mean: geometric mean of the recalls of the classes that have images; 0 as soon as one is never seen.
      matthews: Matthews correlation of labels and predictions, in [-1, 1]; 0 for one single prediction.
      calibration_error: expected calibration error over 15 bins, in [0, 1].
      worst_class_recall: smallest recall of a class that has images.
      per_class: scores of each class, in the order of the class names.
    """

    accuracy: float
    balanced_accuracy: float
    balanced_accuracy_low: float
    balanced_accuracy_high: float
    macro_f1: float
    weighted_f1: float
    geometric_mean: float
    matthews: float
    calibration_error: float
    worst_class_recall: float
    per_class: tuple[ClassScores, ...]

    def to_dict(self) -> dict[str, Any]:
        """The object as it stands in result.json."""
        return {**self.__dict__, "per_class": [scores.to_dict() for scores in self.per_class]}


def evaluate(
    labels: ArrayLike, probabilities: ArrayLike, class_names: Sequence[str], confidence: float = 0.95
) -> Scores:
    """Scores a classifier's probabilities.

    Args:
      labels: int[n], the true classes, each in [0, c); at least one image.
      probabilities: float[n, c], one row per image; the largest value is the prediction, the first one on a tie.
      class_names: the c names.
      confidence: the level of the intervals, in (0, 1).

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
    return _scores(labels, probabilities, class_names, confidence)


def _scores(labels: NDArray[Any], probabilities: NDArray[Any], class_names: Sequence[str], confidence: float) -> Scores:
    num_classes = len(class_names)
    predictions = probabilities.argmax(axis=1)
    support = np.bincount(labels, minlength=num_classes)
    predicted = np.bincount(predictions, minlength=num_classes)
    right = np.bincount(labels[labels == predictions], minlength=num_classes)
    recall = right / np.maximum(support, 1)
    precision = right / np.maximum(predicted, 1)
    f1 = 2 * right / np.maximum(support + predicted, 1)
    others = len(labels) - support
    per_class = []
    for k, name in enumerate(class_names):
        low, high = wilson(right[k], support[k], confidence)
        seen = support[k] > 0
        per_class.append(
            ClassScores(
                name=name,
                support=int(support[k]),
                recall=float(recall[k]) if seen else None,
                recall_low=low if seen else None,
                recall_high=high if seen else None,
                precision=float(precision[k]),
                f1=float(f1[k]),
                specificity=float(1 - (predicted[k] - right[k]) / others[k]) if others[k] else None,
                average_precision=_average_precision(labels == k, probabilities[:, k]) if seen else None,
            )
        )
    has_images = support > 0
    low, high = mean_of_proportions(right[has_images], support[has_images], confidence)
    return Scores(
        accuracy=float(right.sum() / len(labels)),
        balanced_accuracy=float(recall[has_images].mean()),
        balanced_accuracy_low=low,
        balanced_accuracy_high=high,
        macro_f1=float(f1[(support + predicted) > 0].mean()),
        weighted_f1=float(np.average(f1, weights=support)),
        geometric_mean=float(np.exp(np.log(np.maximum(recall[has_images], 1e-300)).mean())),
        matthews=float(matthews_corrcoef(labels, predictions)),
        calibration_error=expected_calibration_error(labels, probabilities),
        worst_class_recall=float(recall[has_images].min()),
        per_class=tuple(per_class),
    )


def _average_precision(is_class: NDArray[np.bool_], scores: NDArray[Any]) -> float:
    # scikit-learn's sum may end a rounding error above 1.
    return min(1.0, float(average_precision_score(is_class, scores)))


def mean_scores(runs: Sequence[Scores], confidence: float = 0.95) -> Scores:
    """The mean of the scores of several seeds on the same images.

    Args:
      runs: scores of each seed, in any order, all of the same images; at least one.
      confidence: the level of the intervals, in (0, 1).

    Returns:
      Mean values; with several seeds the intervals hold the doubt about test images and about seeds.
    """
    if not runs:
        raise ValueError("at least one seed is needed")
    if len(runs) == 1:
        return runs[0]
    per_class = tuple(_mean_class(scores, confidence) for scores in zip(*(run.per_class for run in runs), strict=True))
    seen = [scores for scores in per_class if scores.recall is not None]
    interval = mean_of_proportions(
        [min(scores.recall or 0.0, 1.0) * scores.support for scores in seen],
        [scores.support for scores in seen],
        confidence,
    )
    low, high = widen_by_seeds(interval, [run.balanced_accuracy for run in runs], confidence)
    return Scores(
        balanced_accuracy_low=max(0.0, low),
        balanced_accuracy_high=min(1.0, high),
        **{name: float(np.mean([getattr(run, name) for run in runs])) for name in _PLAIN_MEANS},
        per_class=per_class,
    )


def _mean_class(runs: Sequence[ClassScores], confidence: float) -> ClassScores:
    first = runs[0]
    recalls = [scores.recall for scores in runs if scores.recall is not None]
    recall = low = high = None
    if recalls:
        recall = float(np.mean(recalls))
        interval = wilson(min(recall, 1.0) * first.support, first.support, confidence)
        low, high = widen_by_seeds(interval, recalls, confidence)
        low, high = max(0.0, low), min(1.0, high)
    return ClassScores(
        name=first.name,
        support=first.support,
        recall=recall,
        recall_low=low,
        recall_high=high,
        precision=float(np.mean([scores.precision for scores in runs])),
        f1=float(np.mean([scores.f1 for scores in runs])),
        specificity=_mean_of_known([scores.specificity for scores in runs]),
        average_precision=_mean_of_known([scores.average_precision for scores in runs]),
    )


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
