"""What a strategy's predictions say beside its scores: under other priors, by shots, calibrated, and how unsure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.evaluation.calibration import class_reliability_curve, expected_calibration_error, reliability_curve
from evenhand.evaluation.class_weightings import group_members, priors, weighted_recall
from evenhand.evaluation.comparison import compare_weighted
from evenhand.evaluation.confusion import confusion_matrix
from evenhand.evaluation.measure_changes import measure_changes
from evenhand.evaluation.prior_correction import MINIMUM_VALIDATION_IMAGES, corrected_scores, fit_correction
from evenhand.evaluation.uncertainty import class_uncertainty, mean_uncertainty
from evenhand.report.measures import (
    CalibrationPart,
    ClassCalibration,
    ClassUncertainty,
    CorrectedResult,
    GroupChange,
    GroupResult,
    MeasureChange,
    PriorChange,
    PriorResult,
    ReliabilityPoint,
    Uncertainty,
    UncertaintyPart,
)
from evenhand.report.predictions import Predictions
from evenhand.report.validation_words import classes_have_none


def predicted_classes(parts: Sequence[Predictions]) -> NDArray[np.int64]:
    """int64[seeds, n], predicted classes."""
    return np.stack([part.probabilities.argmax(axis=1) for part in parts])


def strategy_measures(
    tests: Sequence[Predictions],
    validations: Sequence[Predictions],
    train_counts: Sequence[int],
    class_names: Sequence[str],
    confidence: float,
) -> dict[str, Any]:
    """The fields of `StrategyResult` that its predictions give beside the scores.

    Args:
      tests: the test rows of each seed, all of the same images.
      validations: the validation rows of each seed, perhaps none.
      train_counts: real training images of each class.
      class_names: the c names.
      confidence: the level of the intervals, in (0, 1).
    """
    labels, predicted = tests[0].labels, predicted_classes(tests)
    return {
        "priors": [
            PriorResult(prior=prior, accuracy=found.recall, low=found.low, high=found.high)
            for prior, weights in _priors(train_counts).items()
            if (found := weighted_recall(labels, predicted, weights, confidence))
        ],
        "shot_groups": [
            GroupResult(group=group, classes=int(members.sum()), recall=found.recall, low=found.low, high=found.high)
            for group, members in group_members(train_counts).items()
            if (found := weighted_recall(labels, predicted, members, confidence))
        ],
        "confusion": _confusion(labels, predicted, len(class_names)),
        "calibration": _calibration(tests, validations, train_counts, class_names),
        "uncertainty": _uncertainty(tests, class_names),
    }


def comparison_measures(
    strategy: Sequence[Predictions],
    reference: Sequence[Predictions],
    train_counts: Sequence[int],
    confidence: float,
    seed: int,
) -> dict[str, Any]:
    """The fields of `ComparisonPart` beside the balanced accuracy: each prior, shot group and measure over all classes.

    Args:
      strategy: the test rows of each seed.
      reference: the reference's, of the same images.
      train_counts: real training images of each class.
      confidence: the level of intervals and verdicts, in (0, 1).
      seed: of the bootstrap's draws.
    """

    answers = strategy[0].labels, predicted_classes(strategy), predicted_classes(reference)

    def change(weights: NDArray[np.float64]) -> dict[str, Any] | None:
        found = compare_weighted(*answers, weights, confidence=confidence, seed=seed)
        return None if found is None else dict(found.__dict__)

    of_measures = measure_changes(*answers, len(train_counts), confidence=confidence, seed=seed)
    by_prior = {prior: change(weights) for prior, weights in _priors(train_counts).items()}
    groups = group_members(train_counts)
    by_group = {group: change(members) for group, members in groups.items()}
    return {
        "priors": [PriorChange(prior=prior, **found) for prior, found in by_prior.items() if found],
        "measures": [MeasureChange(measure=name, **found.__dict__) for name, found in of_measures.items()],
        "shot_groups": [
            GroupChange(group=group, classes=int(groups[group].sum()), **found)
            for group, found in by_group.items()
            if found
        ],
    }


def _priors(train_counts: Sequence[int]) -> Mapping[Any, NDArray[np.float64]]:
    """No prior is known of a run without training images."""
    return priors(train_counts) if sum(train_counts) else {}


def _confusion(
    labels: NDArray[np.int32], predicted: NDArray[np.int64], num_classes: int
) -> list[tuple[int, int, float]]:
    """The cells that are not 0, since most of many classes are: true class, predicted class, images."""
    mean = np.mean([confusion_matrix(labels, row, num_classes) for row in predicted], axis=0)
    return [(int(true), int(called), float(mean[true, called])) for true, called in np.argwhere(mean)]


def _uncertainty(tests: Sequence[Predictions], class_names: Sequence[str]) -> UncertaintyPart:
    overall = [mean_uncertainty(_summing_to_one(part)) for part in tests]
    by_class = [class_uncertainty(part.labels, _summing_to_one(part), len(class_names)) for part in tests]
    return UncertaintyPart(
        overall=Uncertainty(**_means(overall)),
        per_class=tuple(
            ClassUncertainty(class_=name, **_means([seed for seed in seeds if seed is not None]))
            for name, *seeds in zip(class_names, *by_class, strict=True)
            if seeds[0] is not None
        ),
    )


def _means(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([value[name] for value in values])) for name in values[0]}


def _summing_to_one(part: Predictions) -> NDArray[np.float64]:
    """float64[n, c]: float32 rows sum to 1 but for rounding."""
    p = part.probabilities.astype(np.float64)
    summing: NDArray[np.float64] = p / p.sum(axis=1, keepdims=True)
    return summing


def _calibration(
    tests: Sequence[Predictions],
    validations: Sequence[Predictions],
    train_counts: Sequence[int],
    class_names: Sequence[str],
) -> CalibrationPart:
    labels = tests[0].labels
    curve = reliability_curve(np.tile(labels, len(tests)), np.concatenate([_summing_to_one(part) for part in tests]))
    per_class = [
        float(np.mean([class_reliability_curve(labels, _summing_to_one(part), k).error for part in tests]))
        for k in range(len(class_names))
    ]
    return CalibrationPart(
        error=float(np.mean([expected_calibration_error(labels, part.probabilities) for part in tests])),
        classwise_error=float(np.mean(per_class)),
        curve=tuple(
            ReliabilityPoint(confidence=float(confidence), accuracy=float(accuracy), count=int(count))
            for confidence, accuracy, count in zip(curve.confidence, curve.accuracy, curve.count, strict=True)
        ),
        per_class=tuple(
            ClassCalibration(class_=name, error=error) for name, error in zip(class_names, per_class, strict=True)
        ),
        **_corrected(tests, validations, train_counts, class_names),
    )


def _corrected(
    tests: Sequence[Predictions],
    validations: Sequence[Predictions],
    train_counts: Sequence[int],
    class_names: Sequence[str],
) -> dict[str, Any]:
    """What the correction gives, or the reason why none is shown."""
    num_images = min((len(part) for part in validations), default=0)
    if num_images == 0 or not sum(train_counts):
        return {"reason": "there are no validation images to fit it on"}
    if num_images < MINIMUM_VALIDATION_IMAGES:
        words = f"{num_images} validation {'image' if num_images == 1 else 'images'}"
        return {"reason": f"only {words} to fit it on, fewer than {MINIMUM_VALIDATION_IMAGES}"}
    counts = np.bincount(validations[0].labels, minlength=len(class_names))
    without = [name for name, count in zip(class_names, counts, strict=True) if count == 0]
    if without:
        return {"reason": f"of the validation images to fit it on, {classes_have_none(without)}"}
    fitted = [fit_correction(part.labels, _summing_to_one(part), train_counts) for part in validations]
    failed = next((correction.at_limit for correction in fitted if correction.at_limit), None)
    if failed is not None:
        return {"reason": f"it could not be fitted on {num_images} validation images: {failed}"}
    corrected = []
    for name in ("balanced", "training"):
        wanted = priors(train_counts)[name]
        scores = [
            corrected_scores(
                part.labels,
                _summing_to_one(part),
                correction.apply(_summing_to_one(part), train_counts, wanted),
                wanted,
            ).to_dict()
            for part, correction in zip(tests, fitted, strict=True)
        ]
        corrected.append(CorrectedResult(prior=name, **_means(scores)))
    return {
        "temperature": float(np.exp(np.mean([np.log(correction.temperature) for correction in fitted]))),
        "prior_strength": float(np.mean([correction.strength for correction in fitted])),
        "corrected": corrected,
    }
