"""Finds what the raters of a run's images say, from the files of their ratings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evenhand.evaluation.realism import Estimate, Perceived, Ratings, measure_realism
from evenhand.report import ratings as rating_files
from evenhand.report.ratings import RaterFile
from evenhand.report.realism_part import (
    AgreementPart,
    ClassRealism,
    EstimatePart,
    PerceivedPart,
    RaterRealism,
    RealismPart,
)
from evenhand.report.result import Result


def realism_of(output: Path, result: Result) -> RealismPart | None:
    """What the ratings in a run's folder say.

    Args:
      output: the output folder of the run.
      result: of the run, for its classes and its confidence.

    Returns:
      The part; None if there are no ratings.

    Raises:
      UserError: if a file of ratings cannot be read.
    """
    files = rating_files.read_all(output)
    if not files:
        return None
    study = rating_files.study_of(output)
    counted = [file for file in files if file.study == study and file.ratings]
    left_out = tuple(file.rater for file in files if file.study != study)
    names = [counts.name for counts in result.data.classes]
    found = measure_realism(
        _ratings(counted, names), names, [file.rater for file in counted], confidence=result.confidence
    )
    return RealismPart(
        overall=PerceivedPart(**_entry(found.overall)),
        per_class=tuple(
            ClassRealism(class_=name, **_entry(perceived))
            for name, perceived in found.per_class
            if perceived.num_real or perceived.num_synthetic
        ),
        per_rater=tuple(RaterRealism(rater=name, **_entry(perceived)) for name, perceived in found.per_rater),
        agreement=None if found.agreement is None else AgreementPart(**found.agreement.__dict__),
        interval=found.interval,
        left_out=left_out,
    )


def _ratings(files: Sequence[RaterFile], class_names: Sequence[str]) -> Ratings:
    labels = {name: k for k, name in enumerate(class_names)}
    rows = [
        (rating, labels[rating.class_], rater)
        for rater, file in enumerate(files)
        for rating in file.ratings
        if rating.class_ in labels
    ]
    images: dict[str, int] = {}
    return Ratings(
        values=np.array([rating.rating for rating, _, _ in rows], np.int64),
        is_real=np.array([rating.source == "real" for rating, _, _ in rows], bool),
        images=np.array([images.setdefault(rating.image_id, len(images)) for rating, _, _ in rows], np.int64),
        labels=np.array([label for _, label, _ in rows], np.int64),
        raters=np.array([rater for _, _, rater in rows], np.int64),
    )


def _entry(perceived: Perceived) -> dict[str, Any]:
    return {
        name: EstimatePart(**value.__dict__) if isinstance(value, Estimate) else value
        for name, value in perceived.__dict__.items()
    }


MINIMUM_RATERS = 5
"""With fewer raters a study speaks of them, not of people."""


def words(part: RealismPart, confidence: float) -> str:
    """What a human study found, in sentences that its numbers carry.

    Args:
      part: of the result.
      confidence: level of the intervals.
    """
    overall, num_raters = part.overall, len(part.per_rater)
    left_out = f" Left out, since they are of other images: the ratings of {', '.join(part.left_out)}."
    left_out = left_out if part.left_out else ""
    if overall.real is None or overall.synthetic is None or overall.told_apart is None:
        return f"Too few images are rated to say anything: {_rated(overall)}.{left_out}"
    apart = overall.told_apart
    if apart.low > 0.5:
        meaning = "so they can be told apart"
    elif apart.high < 0.5:
        meaning = "so that synthetic images look more real than real ones"
    else:
        meaning = "so there is no evidence that they can be told apart"
    who = "One rater" if num_raters == 1 else f"{num_raters} raters"
    about = "" if num_raters >= MINIMUM_RATERS else f" This speaks of {who.lower()}, not of people in general."
    return (
        f"{who} rated {_rated(overall)}. Mean realism, from 1 to 5: real {_mean(overall.real)}, synthetic "
        f"{_mean(overall.synthetic)}. Of a real and a synthetic image, the real one is rated higher in "
        f"{100 * apart.value:.0f}% of pairs ({100 * confidence:g}% interval {100 * apart.low:.0f}% to "
        f"{100 * apart.high:.0f}%; 50% is chance, ties count half), {meaning}.{about}{left_out}"
    )


def _rated(overall: PerceivedPart) -> str:
    return f"{overall.num_real} real and {overall.num_synthetic} synthetic images"


def _mean(estimate: EstimatePart) -> str:
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"
