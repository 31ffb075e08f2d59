"""How far raters who saw the same images agree: Krippendorff's alpha and the share of equal ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Agreement:
    """Agreement over the images that two raters or more have rated.

    Attributes:
      num_images: how many those are.
      alpha: Krippendorff's alpha for ordered categories: 1 where all agree, 0 where they do so by chance only; None
        where every rating is the same, which says nothing.
      equal: share of the pairs of ratings of one image that are equal, in [0, 1].
    """

    num_images: int
    alpha: float | None
    equal: float


def rater_agreement(values: ArrayLike, images: ArrayLike, num_levels: int) -> Agreement | None:
    """Agreement of raters, of whom each may have rated any of the images.

    Args:
      values: int[n], ratings from 1 to `num_levels`; no rater has two of one image.
      images: int[n], number of the image rated.
      num_levels: length of the scale.

    Returns:
      The agreement; None if no image has two ratings.

    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, section D, ordinal metric.
    """
    table = ratings_by_image(np.asarray(values), np.asarray(images), num_levels)
    table = table[table.sum(axis=1) >= 2]
    if not len(table):
        return None
    raters = table.sum(axis=1).astype(np.float64)
    # Ordered pairs of ratings within an image, and the same weighted so that each rating counts once.
    pairs = (table[:, :, None] * table[:, None, :] - table[:, :, None] * np.eye(num_levels, dtype=np.int64)).astype(
        float
    )
    together = (pairs / (raters - 1)[:, None, None]).sum(axis=0)
    totals = together.sum(axis=1)
    distance = _ordinal_distance(totals)
    expected = float((np.outer(totals, totals) * distance).sum())
    alpha = None if expected == 0 else 1 - (totals.sum() - 1) * float((together * distance).sum()) / expected
    equal = float(np.trace(pairs.sum(axis=0)) / pairs.sum())
    return Agreement(len(table), None if alpha is None else float(alpha), equal)


def ratings_by_image(values: NDArray[np.int64], images: NDArray[np.int64], num_levels: int) -> NDArray[np.int64]:
    """int64[m, num_levels], how often each of the m distinct images got each rating, in ascending order of images."""
    distinct, rows = np.unique(images, return_inverse=True)
    cells = np.bincount(rows * num_levels + values - 1, minlength=len(distinct) * num_levels)
    return cells.reshape(len(distinct), num_levels)


def _ordinal_distance(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[l, l], squared count of the ratings between two levels, half of those at either end included."""
    middle = np.cumsum(totals) - totals / 2
    return (middle[:, None] - middle[None, :]) ** 2
