"""How real images look to people: mean ratings of real and synthetic images, and whether raters tell them apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evenhand.evaluation.rater_agreement import Agreement, rater_agreement, ratings_by_image
from evenhand.evaluation.rating_intervals import (
    LEVELS,
    difference_interval,
    mean_rating_interval,
    told_apart,
    told_apart_interval,
)

ONE_RATER = "Student's t over images, two added; Newcombe's method 5 for how well they are told apart"
SEVERAL_RATERS = f"over images ({ONE_RATER}) and over raters (Student's t), in quadrature"


@dataclass(frozen=True)
class Ratings:
    """Ratings by row; no rater has rated an image twice.

    Attributes:
      values: int64[n], from 1 to `LEVELS`.
      is_real: bool[n], whether the image is real.
      images: int64[n], number of the image; a real and a synthetic one never share a number.
      labels: int64[n], class of the image.
      raters: int64[n], number of the rater, from 0.
    """

    values: NDArray[np.int64]
    is_real: NDArray[np.bool_]
    images: NDArray[np.int64]
    labels: NDArray[np.int64]
    raters: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.values) and not (self.values.min() >= 1 and self.values.max() <= LEVELS):
            raise ValueError(f"ratings must be in [1, {LEVELS}], not [{self.values.min()}, {self.values.max()}]")
        keys = np.stack([self.raters, self.images])
        if np.unique(keys, axis=1).shape[1] != len(self.values):
            raise ValueError("a rater has rated an image twice")

    def only(self, rows: NDArray[np.bool_]) -> Ratings:
        """The chosen rows."""
        return Ratings(self.values[rows], self.is_real[rows], self.images[rows], self.labels[rows], self.raters[rows])


@dataclass(frozen=True)
class Estimate:
    """A value with its interval.

    Attributes:
      value: what was seen.
      low: lower end of the interval.
      high: upper end of the interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Perceived:
    """How real some images look.

    Attributes:
      num_real: real images rated.
      num_synthetic: synthetic images rated.
      real_counts: ratings of real images by level, 1 to `LEVELS`.
      synthetic_counts: ratings of synthetic images likewise.
      real: mean rating of real images, in [1, 5]; None without any.
      synthetic: mean rating of synthetic images, in [1, 5]; None without any.
      difference: synthetic minus real, in [-4, 4]; None unless there are both.
      told_apart: how often a real image was rated above a synthetic one by the same rater, equal ratings counting half
        (the area under the ROC curve of the rating as a score for real): 0.5 is chance; None unless there are both.
    """

    num_real: int
    num_synthetic: int
    real_counts: tuple[int, ...]
    synthetic_counts: tuple[int, ...]
    real: Estimate | None
    synthetic: Estimate | None
    difference: Estimate | None
    told_apart: Estimate | None


@dataclass(frozen=True)
class Realism:
    """What a human study found.

    Attributes:
      overall: over all classes and raters.
      per_class: name and findings of each class, in the order of the labels.
      per_rater: name and findings of each rater.
      agreement: of the raters; None if no image was rated by two.
      interval: how the intervals were made, in words.
    """

    overall: Perceived
    per_class: tuple[tuple[str, Perceived], ...]
    per_rater: tuple[tuple[str, Perceived], ...]
    agreement: Agreement | None
    interval: str


def measure_realism(
    ratings: Ratings, class_names: Sequence[str], rater_names: Sequence[str], *, confidence: float = 0.95
) -> Realism:
    """Mean ratings and how well raters tell real from synthetic images, over all, by class and by rater.

    With several raters the intervals hold the doubt about who rated as well as that about images: the images' own
    interval and Student's t over the raters are added in quadrature. (A bootstrap over raters and images covered 59 to
    81% instead of 95% with two raters who differ, since two are too few to draw from; docs/report.md.)

    Args:
      ratings: of all raters.
      class_names: the names that `labels` count.
      rater_names: the names that `raters` count.
      confidence: the level of intervals, in (0, 1).

    Returns:
      The findings.
    """

    def perceived(rows: NDArray[np.bool_]) -> Perceived:
        return _perceived(ratings.only(rows), confidence)

    return Realism(
        overall=perceived(np.ones(len(ratings.values), bool)),
        per_class=tuple((name, perceived(ratings.labels == k)) for k, name in enumerate(class_names)),
        per_rater=tuple((name, perceived(ratings.raters == r)) for r, name in enumerate(rater_names)),
        agreement=rater_agreement(ratings.values, ratings.images, LEVELS),
        interval=ONE_RATER if len(np.unique(ratings.raters)) < 2 else SEVERAL_RATERS,
    )


def _perceived(ratings: Ratings, confidence: float) -> Perceived:
    counts = _counts_by_rater(ratings)
    totals = counts.sum(axis=2)
    with np.errstate(invalid="ignore"):
        means = (counts @ np.arange(1, LEVELS + 1)) / totals
    images = [_image_means(ratings, side) for side in (ratings.is_real, ~ratings.is_real)]
    # Raters use the scale in their own ways, so that sources are compared within a rater.
    both = np.where((totals > 0).all(axis=1), totals.sum(axis=1), 0)

    def mean(source: int) -> Estimate | None:
        return _over_raters(
            means[:, source],
            totals[:, source],
            lambda value: mean_rating_interval(images[source], value, confidence),
            (1.0, float(LEVELS)),
            confidence,
        )

    return Perceived(
        num_real=len(images[0]),
        num_synthetic=len(images[1]),
        real_counts=tuple(counts[:, 0].sum(axis=0).tolist()),
        synthetic_counts=tuple(counts[:, 1].sum(axis=0).tolist()),
        real=mean(0),
        synthetic=mean(1),
        difference=_over_raters(
            means[:, 1] - means[:, 0],
            both,
            lambda value: difference_interval(images, value, confidence),
            (1.0 - LEVELS, LEVELS - 1.0),
            confidence,
        ),
        told_apart=_over_raters(
            told_apart(counts[:, 0], counts[:, 1]),
            both,
            lambda value: told_apart_interval(value, len(images[0]), len(images[1]), confidence),
            (0.0, 1.0),
            confidence,
        ),
    )


def _counts_by_rater(ratings: Ratings) -> NDArray[np.int64]:
    """int64[raters, 2, l], ratings of real and of synthetic images by level, of each rater who has any."""
    distinct, raters = np.unique(ratings.raters, return_inverse=True)
    cells = (raters * 2 + ~ratings.is_real) * LEVELS + ratings.values - 1
    return np.bincount(cells, minlength=len(distinct) * 2 * LEVELS).reshape(len(distinct), 2, LEVELS)


def _image_means(ratings: Ratings, side: NDArray[np.bool_]) -> NDArray[np.float64]:
    """float64[m], mean rating of each image of one source."""
    table = ratings_by_image(ratings.values[side], ratings.images[side], LEVELS)
    means: NDArray[np.float64] = (table @ np.arange(1, LEVELS + 1)) / table.sum(axis=1)
    return means


def _over_raters(
    values: NDArray[np.float64],
    weights: NDArray[np.int64],
    image_interval: Callable[[float], tuple[float, float]],
    ends: tuple[float, float],
    confidence: float,
) -> Estimate | None:
    """The mean over raters with the doubt about images and about raters; None if no rater counts.

    Args:
      values: float64[r], what each rater's ratings say.
      weights: int64[r], how much each counts; those with 0 may have any value.
      image_interval: the interval over images around a value.
      ends: least and largest value that there is.
      confidence: the level, in (0, 1).
    """
    values, counted = values[weights > 0], weights[weights > 0]
    if not len(values):
        return None
    shares = counted / counted.sum()
    value = min(max(float(shares @ values), ends[0]), ends[1])
    low, high = image_interval(value)
    reach = 0.0
    if len(values) > 1:
        # With equal weights this is the standard error of the raters' mean.
        variance = float((shares**2) @ (values - value) ** 2) * len(values) / (len(values) - 1)
        reach = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * math.sqrt(variance)
    below, above = math.hypot(value - low, reach), math.hypot(high - value, reach)
    return Estimate(value, max(ends[0], value - below), min(ends[1], value + above))
