"""Intervals for proportions and their means, closed in form, so that they are the same on every run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats


def wilson(successes: float, total: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927, without continuity correction).

    It never leaves [0, 1] and has width even where every try succeeded, which matters for classes of few images.

    Args:
      successes: how many tries succeeded, in [0, total]; a mean over seeds may be fractional.
      total: how many tries there were; 0 gives the interval (0, 1), since nothing is known.
      confidence: the level, in (0, 1), e.g. 0.95.

    Returns:
      The lower and upper end, each in [0, 1].

    Raises:
      ValueError: if `successes` is not in [0, total] or `confidence` not in (0, 1).
    """
    if not 0 <= successes <= total:
        raise ValueError(f"successes must be in [0, total], not {successes} of {total}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), not {confidence}")
    if total == 0:
        return 0.0, 1.0
    z = float(special.ndtri((1 + confidence) / 2))
    share = successes / total
    shrink = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    # At the ends the formula gives 0 and 1 up to rounding.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == total else min(1.0, centre + half)
    return low, high


def mean_of_proportions(
    successes: ArrayLike, totals: ArrayLike, confidence: float = 0.95, weights: ArrayLike | None = None
) -> tuple[float, float]:
    """Interval of the mean of independent proportions, e.g. of balanced accuracy.

    The distances of the single Wilson ends are added in quadrature (the MOVER method, Zou and Donner 2008), so a class
    of few images that was recognised without error still adds its doubt, unlike in a bootstrap.

    Args:
      successes: float[c], successes of each proportion.
      totals: float[c], tries of each proportion, all above 0.
      confidence: the level, in (0, 1).
      weights: float[c] of the mean, in any scale; None weighs all alike.

    Returns:
      The lower and upper end, each in [0, 1].
    """
    shares, ends = _shares_with_ends(successes, totals, confidence)
    each = np.ones(len(shares)) if weights is None else np.asarray(weights, float)
    each = each / each.sum()
    mean = float(each @ shares)
    below = float(np.linalg.norm(each * (shares - ends[:, 0])))
    above = float(np.linalg.norm(each * (ends[:, 1] - shares)))
    return max(0.0, mean - below), min(1.0, mean + above)


def geometric_mean(successes: ArrayLike, totals: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the geometric mean of independent proportions: `mean_of_proportions` of their logarithms.

    Where a proportion is 0, so is the mean, and its logarithm says nothing: the interval then reaches from 0 to the
    geometric mean of the upper ends.
    """
    shares, ends = _shares_with_ends(successes, totals, confidence)
    if (shares == 0).any():
        return 0.0, float(np.exp(np.log(ends[:, 1]).mean()))
    logs, mean = np.log(shares), float(np.log(shares).mean())
    below = float(np.linalg.norm(logs - np.log(ends[:, 0]))) / len(shares)
    above = float(np.linalg.norm(np.log(ends[:, 1]) - logs)) / len(shares)
    return math.exp(mean - below), min(1.0, math.exp(mean + above))


def smallest_proportion(successes: ArrayLike, totals: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the smallest of independent proportions, e.g. of the worst class's recall, whichever it is.

    The smallest lower end of the Wilson intervals lies above the smallest proportion only if that proportion's own
    does. Any upper end may lie below it, so that upper ends are taken at a level raised by Sidak's correction.
    """
    shares, ends = _shares_with_ends(successes, totals, confidence)
    corrected = 2 * ((1 + confidence) / 2) ** (1 / len(shares)) - 1
    return float(ends[:, 0].min()), float(_shares_with_ends(successes, totals, corrected)[1][:, 1].min())


def _shares_with_ends(
    successes: ArrayLike, totals: ArrayLike, confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """float64[c], the shares, and float64[c, 2], their Wilson intervals."""
    successes, totals = np.asarray(successes, float), np.asarray(totals, float)
    if successes.size == 0 or (totals <= 0).any():
        raise ValueError("every proportion needs at least one try")
    ends = np.array([wilson(s, n, confidence) for s, n in zip(successes, totals, strict=True)])
    return successes / totals, ends


def paired_difference(
    both: float, only_a: float, only_b: float, neither: float, confidence: float
) -> tuple[float, float]:
    """Score interval of the difference of two proportions measured on the same images (Newcombe 1998, method 10).

    Args:
      both: images that a and b both classify rightly; a mean over seeds may be fractional.
      only_a: images that only a classifies rightly.
      only_b: images that only b classifies rightly.
      neither: images that both miss.
      confidence: the level, in (0, 1).

    Returns:
      Lower and upper end of (share of a) - (share of b), each in [-1, 1]; (-1, 1) without any image.
    """
    total = both + only_a + only_b + neither
    if total == 0:
        return -1.0, 1.0
    share_a, share_b = (both + only_a) / total, (both + only_b) / total
    low_a, high_a = wilson(min(both + only_a, total), total, confidence)
    low_b, high_b = wilson(min(both + only_b, total), total, confidence)
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    determinant = both * neither - only_a * only_b
    # A positive correlation is taken half an image smaller, never below zero.
    if determinant > 0:
        determinant = max(determinant - total / 2, 0.0)
    phi = determinant / math.sqrt(product) if product > 0 else 0.0
    down_a, up_a, down_b, up_b = share_a - low_a, high_a - share_a, share_b - low_b, high_b - share_b
    below = math.sqrt(max(0.0, down_a**2 - 2 * phi * down_a * up_b + up_b**2))
    above = math.sqrt(max(0.0, up_a**2 - 2 * phi * up_a * down_b + down_b**2))
    change = share_a - share_b
    return max(-1.0, change - below), min(1.0, change + above)


def widen_by_seeds(interval: tuple[float, float], per_seed: Sequence[float], confidence: float) -> tuple[float, float]:
    """Adds the doubt about the choice of training seeds to an interval that holds the doubt about test images.

    Args:
      interval: ends around the mean of `per_seed`, from the test images alone.
      per_seed: the measured value of each seed; one seed says nothing about seeds and changes nothing.
      confidence: the level, in (0, 1).

    Returns:
      The ends, moved outwards: both doubts in quadrature, that of the mean over seeds by Student's t.
    """
    if len(per_seed) < 2:
        return interval
    mean = float(np.mean(per_seed))
    error = float(np.std(per_seed, ddof=1)) / math.sqrt(len(per_seed))
    reach = float(stats.t.ppf((1 + confidence) / 2, len(per_seed) - 1)) * error
    return mean - math.hypot(mean - interval[0], reach), mean + math.hypot(interval[1] - mean, reach)
