"""Intervals of ratings from 1 to 5 over images: of means, of their difference, and of telling two kinds apart."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

LEVELS = 5
"""Realism is rated from 1, not real at all, to 5, completely real (S1)."""


def told_apart(real_counts: NDArray[np.number], synthetic_counts: NDArray[np.number]) -> NDArray[np.float64]:
    """Chance that a real image is rated above a synthetic one, equal ratings counting half (Mann-Whitney's U / mn).

    Args:
      real_counts: [..., l], ratings of real images by level; weights of any kind.
      synthetic_counts: [..., l], those of synthetic images.

    Returns:
      float64[...] in [0, 1]; NaN where either has no ratings.
    """
    below = np.cumsum(synthetic_counts, axis=-1) - synthetic_counts / 2
    pairs = real_counts.sum(axis=-1) * synthetic_counts.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: NDArray[np.float64] = (real_counts * below).sum(axis=-1) / np.where(pairs > 0, pairs, np.nan)
    return shares


def told_apart_interval(value: float, num_real: int, num_synthetic: int, confidence: float) -> tuple[float, float]:
    """Interval of `told_apart` for images rated once (Newcombe, An Effect Size Measure Based on the
    Mann-Whitney Statistic, Part 2, 2006).

    His method 5: like Wilson's interval, it solves for the values from which the one seen is as far as their own error
    allows, with Hanley and McNeil's variance, so that it has width even where all pairs were told apart.

    Args:
      value: what was seen, in [0, 1].
      num_real: real images, at least 1.
      num_synthetic: synthetic images, at least 1.
      confidence: the level, in (0, 1).

    Returns:
      The lower and upper end, each in [0, 1].
    """
    z = float(stats.norm.ppf((1 + confidence) / 2))
    more = (num_real + num_synthetic) / 2 - 1

    def beyond(theta: float) -> float:
        spread = 1 + more * (1 - theta) / (2 - theta) + more * theta / (1 + theta)
        return abs(theta - value) - z * math.sqrt(theta * (1 - theta) * spread / (num_real * num_synthetic))

    # At 0 and 1 themselves the error is none, so that a value seen there is approached from inside.
    inside = min(max(value, 1e-9), 1 - 1e-9)
    low = 0.0 if value <= 0 else float(optimize.brentq(beyond, 0.0, inside))
    high = 1.0 if value >= 1 else float(optimize.brentq(beyond, inside, 1.0))
    return low, high


def mean_rating_interval(image_means: NDArray[np.float64], mean: float, confidence: float) -> tuple[float, float]:
    """Interval of a mean rating over images: Student's t, its variance that of the images and two more.

    One more image at either end of the scale leaves doubt where a few ratings are all the same, as Agresti and Coull
    (1998) do for proportions.

    Args:
      image_means: float64[m], mean rating of each image, m at least 1.
      mean: around which the interval is laid.
      confidence: the level, in (0, 1).

    Returns:
      The lower and upper end, each in [1, 5].
    """
    reach = _reach(_error(image_means), max(len(image_means) - 1, 1), confidence)
    return max(1.0, mean - reach), min(float(LEVELS), mean + reach)


def _error(image_means: NDArray[np.float64]) -> float:
    padded = np.append(image_means, [1.0, LEVELS])
    return float(padded.std()) / math.sqrt(len(padded))


def _reach(error: float, freedom: float, confidence: float) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, freedom)) * error


def difference_interval(sides: list[NDArray[np.float64]], change: float, confidence: float) -> tuple[float, float]:
    """Welch's interval of a difference of mean ratings, with the errors of `mean_rating_interval`.

    Args:
      sides: mean rating of each image, float64[m] of either source.
      change: around which the interval is laid.
      confidence: the level, in (0, 1).

    Returns:
      The lower and upper end, each in [-4, 4].
    """
    squares = [_error(side) ** 2 for side in sides]
    freedom = sum(squares) ** 2 / sum(s**2 / max(len(side) - 1, 1) for s, side in zip(squares, sides, strict=True))
    reach = _reach(math.sqrt(sum(squares)), freedom, confidence)
    return max(1.0 - LEVELS, change - reach), min(LEVELS - 1.0, change + reach)
