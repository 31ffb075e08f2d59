"""The mean of a strategy's scores over several seeds, with intervals that hold the doubt about seeds as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from evenhand.evaluation.intervals import mean_of_proportions, widen_by_seeds, wilson
from evenhand.evaluation.per_class import ClassScores, Scores


def mean_scores(runs: Sequence[Scores], confidence: float = 0.95) -> Scores:
    """The mean of the scores of several seeds on the same images.

    An interval reaches as far as those of the single seeds do on average, and further by the doubt about seeds, in
    quadrature (`widen_by_seeds`); for recall and balanced accuracy the former is that of the mean recall. The doubt
    about images is not taken to shrink with more seeds, since they see the same images.

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
    of_images = mean_of_proportions(
        [min(scores.recall or 0.0, 1.0) * scores.support for scores in seen],
        [scores.support for scores in seen],
        confidence,
    )
    low, high = widen_by_seeds(of_images, [run.balanced_accuracy for run in runs], confidence)
    values: dict[str, Any] = {}
    for name in _measures(Scores):
        values |= _mean_with_ends(name, runs, confidence, least=-1.0 if name == "matthews" else 0.0)
    values |= {
        "calibration_error": float(np.mean([run.calibration_error for run in runs])),
        "balanced_accuracy_low": max(0.0, low),
        "balanced_accuracy_high": min(1.0, high),
    }
    return Scores(**values, per_class=per_class)


def _mean_class(runs: Sequence[ClassScores], confidence: float) -> ClassScores:
    first = runs[0]
    values: dict[str, Any] = {}
    for name in _measures(ClassScores):
        values |= _mean_with_ends(name, runs, confidence)
    recalls = [scores.recall for scores in runs if scores.recall is not None]
    if recalls:
        of_images = wilson(min(float(np.mean(recalls)), 1.0) * first.support, first.support, confidence)
        low, high = widen_by_seeds(of_images, recalls, confidence)
        values |= {"recall_low": max(0.0, low), "recall_high": min(1.0, high)}
    return ClassScores(name=first.name, support=first.support, **values)


def _measures(kind: type[Scores] | type[ClassScores]) -> list[str]:
    """The fields that have an interval."""
    return [field.name.removesuffix("_low") for field in fields(kind) if field.name.endswith("_low")]


def _mean_with_ends(
    name: str, runs: Sequence[Scores] | Sequence[ClassScores], confidence: float, least: float = 0.0
) -> dict[str, float | None]:
    rows = [(getattr(run, name), getattr(run, f"{name}_low"), getattr(run, f"{name}_high")) for run in runs]
    values = [value for value, _, _ in rows if value is not None]
    mean = float(np.mean(values)) if values else None
    ends: tuple[float | None, float | None] = (None, None)
    if mean is not None and all(low is not None for _, low, _ in rows):
        below = float(np.mean([value - low for value, low, _ in rows]))
        above = float(np.mean([high - value for value, _, high in rows]))
        low, high = widen_by_seeds((mean - below, mean + above), values, confidence)
        ends = (max(least, low), min(1.0, high))
    return {name: mean, f"{name}_low": ends[0], f"{name}_high": ends[1]}
