"""Intervals of measures that no formula covers: a stratified bootstrap, seeded, with no loop over images."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.evaluation.confusion import ConfusionMeasures, measure_confusion
from evenhand.evaluation.intervals import wilson

NUM_RESAMPLES = 1000

_MOST_CELLS = 2_000_000


@dataclass(frozen=True)
class Ends:
    """Ends of intervals.

    Attributes:
      low: lower ends; NaN where the measure has no meaning.
      high: upper ends.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def confusion_intervals(
    matrix: ArrayLike, *, confidence: float = 0.95, seed: int = 0, num_resamples: int = NUM_RESAMPLES
) -> dict[str, Ends]:
    """Intervals of every measure of a confusion matrix.

    The images of each class are drawn again as often as there were (stratified), from the class's own row smoothed by
    two images: one of them recognised, one spread over the other classes, so that a class of three images that were all
    recognised still shows doubt. What the draws lie below and above the smoothed matrix's measure is laid around the
    measure seen. Of smoothing by one, two and four images, two covered best (docs/statistics.md).

    Args:
      matrix: int[c, c], images by true class (row) and predicted class; at least one image.
      confidence: the level, in (0, 1).
      seed: of the draws.
      num_resamples: draws.

    Returns:
      By field of `ConfusionMeasures`: ends float64[c] for a class's measures, float64[] for the others.
    """
    seen = np.asarray(matrix, np.int64)
    support = seen.sum(axis=1)
    smoothed = _smoothed(seen)
    rng = np.random.default_rng(seed)
    drawn = _concatenated(
        [
            measure_confusion(_redrawn(rng, support, smoothed, count))
            for count in chunk_sizes(num_resamples, len(support) ** 2)
        ]
    )
    centre = measure_confusion(smoothed * support[:, None])
    estimate = measure_confusion(seen)
    levels = [(1 - confidence) / 2, (1 + confidence) / 2]
    ends = {}
    for name, values in drawn.items():
        distances = np.quantile(values, levels, axis=0) - getattr(centre, name)
        least = -1.0 if name == "matthews" else 0.0
        value = getattr(estimate, name)
        low, high = np.minimum(value + distances[0], value), np.maximum(value + distances[1], value)
        ends[name] = Ends(np.maximum(low, least), np.minimum(high, 1.0))
    return ends


def _smoothed(seen: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[c, c], probability of each answer to an image of the row's class."""
    num_classes = len(seen)
    extra = np.full(seen.shape, 1 / max(num_classes - 1, 1))
    np.fill_diagonal(extra, 1.0)
    smoothed = seen + extra
    return smoothed / smoothed.sum(axis=1, keepdims=True)


def _redrawn(
    rng: np.random.Generator, support: NDArray[np.int64], smoothed: NDArray[np.float64], count: int
) -> NDArray[np.int64]:
    """int64[count, c, c]."""
    return np.stack(
        [rng.multinomial(images, row, size=count) for images, row in zip(support, smoothed, strict=True)], axis=1
    )


def chunk_sizes(num_resamples: int, cells: int) -> list[int]:
    """Resamples at a time, so that no array holds more than a few million cells."""
    most = max(1, _MOST_CELLS // max(cells, 1))
    return [min(most, num_resamples - start) for start in range(0, num_resamples, most)]


def _concatenated(parts: list[ConfusionMeasures]) -> dict[str, NDArray[np.float64]]:
    return {
        field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(ConfusionMeasures)
    }


def average_precision_interval(
    is_class: ArrayLike,
    scores: ArrayLike,
    *,
    confidence: float = 0.95,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> tuple[float, float]:
    """Interval of one class's average precision.

    The class's images and all others are drawn again as often as there were. A few images cannot show their own doubt
    that way, so that the interval is never narrower than the binomial one of Boyd, Eng and Page (Area Under the
    Precision-Recall Curve: Point Estimates and Confidence Intervals, 2013), in Wilson's form.

    Args:
      is_class: bool[n], whether an image is of the class; at least one is.
      scores: float[n], the class's probability; equal ones are taken together, as scikit-learn does.
      confidence: the level, in (0, 1).
      seed: of the draws.
      num_resamples: draws.

    Returns:
      The lower and upper end, each in [0, 1].
    """
    positive, negative = _counts_by_score(np.asarray(is_class, bool), np.asarray(scores))
    num_positive, num_negative = int(positive.sum()), int(negative.sum())
    rng = np.random.default_rng(seed)
    drawn = []
    for count in chunk_sizes(num_resamples, 2 * len(positive)):
        of_class = rng.multinomial(num_positive, positive / num_positive, size=count)
        if num_negative:
            of_others = rng.multinomial(num_negative, negative / num_negative, size=count)
        else:
            of_others = np.zeros((count, len(negative)), np.int64)
        drawn.append(_average_precision(of_class, of_others[:, :-1]))
    value = float(_average_precision(positive[None], negative[None, :-1])[0])
    low, high = np.quantile(np.concatenate(drawn), [(1 - confidence) / 2, (1 + confidence) / 2])
    binomial = wilson(min(value, 1.0) * num_positive, num_positive, confidence)
    return max(0.0, min(float(low), binomial[0])), min(1.0, max(float(high), binomial[1]))


def _counts_by_score(
    is_class: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Images of the class at each of its m distinct scores, from the top, and others above each and below all.

    Returns:
      int64[m] and int64[m + 1]; others at a score of the class are counted with it.
    """
    distinct, positive = np.unique(-scores[is_class], return_counts=True)
    places = np.searchsorted(distinct, -scores[~is_class], side="left")
    return positive, np.bincount(places, minlength=len(distinct) + 1)


def _average_precision(positive: NDArray[np.int64], negative: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[b] from counts int64[b, m] by falling score: precision at each score, weighted by the recall it adds."""
    above = positive.cumsum(axis=1)
    precision = above / np.maximum(above + negative.cumsum(axis=1), 1)
    values: NDArray[np.float64] = (positive * precision).sum(axis=1) / positive.sum(axis=1)
    return values
