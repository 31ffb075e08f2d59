"""Exact tests of two classifiers on the same images, and how large what they see is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """McNemar's exact two-sided test on the same images.

    Args:
      correct_a: bool[n], whether the first classifier is right.
      correct_b: bool[n], whether the second classifier is right.

    Returns:
      The p-value: the images on which they differ, against a fair coin; 1 when they differ on none.
    """
    a, b = np.asarray(correct_a, bool), np.asarray(correct_b, bool)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"expected two arrays [n] of one length, not {a.shape} and {b.shape}")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    if only_a + only_b == 0:
        return 1.0
    return float(stats.binomtest(only_a, only_a + only_b, 0.5).pvalue)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down correction (1979), which bounds the chance of any false alarm.

    Args:
      p: float[m], p-values in [0, 1].

    Returns:
      float64[m], the adjusted p-values, in the given order.
    """
    p = np.asarray(p, np.float64)
    if p.ndim != 1 or ((p < 0) | (p > 1) | np.isnan(p)).any():
        raise ValueError("p-values must be a list of numbers in [0, 1]")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def sign_flip(differences: ArrayLike) -> float:
    """Exact two-sided sign-flip test that integer differences are centred on zero.

    With differences in {-1, 0, 1} it is McNemar's exact test; with several seeds an image's difference is summed over
    the seeds first, so that the images, not their repeated predictions, are what is counted.

    Args:
      differences: int[n], one per image.

    Returns:
      The p-value: the share of sign patterns whose sum is at least as far from zero as the one seen.
    """
    values = np.asarray(differences, np.int64)
    values = values[values != 0]
    if len(values) == 0:
        return 1.0
    law = np.ones(1)
    for size, count in zip(*np.unique(np.abs(values), return_counts=True), strict=True):
        coins = np.zeros(2 * size * count + 1)
        coins[:: 2 * size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        law = np.convolve(law, coins)
    sums = np.arange(len(law)) - len(law) // 2
    return float(min(1.0, law[np.abs(sums) >= abs(int(values.sum()))].sum()))


def cohens_g(only_a: float, only_b: float) -> float | None:
    """Effect size of McNemar's test: the share of the differing images that go to a, minus a half.

    Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, chapter 5, with its sign: 0.05 is called small,
    0.15 medium, 0.25 large.

    Args:
      only_a: images that only a classifies rightly; a mean over seeds may be fractional.
      only_b: images that only b classifies rightly.

    Returns:
      A number in [-0.5, 0.5]; None where they differ on no image.
    """
    total = only_a + only_b
    return only_a / total - 0.5 if total > 0 else None


def odds_ratio(only_a: float, only_b: float) -> float | None:
    """Odds ratio of matched pairs, `only_a / only_b`; above 1 where a is right more often.

    Returns:
      The ratio; None where it is not finite, since b is right on no image that a misses.
    """
    return only_a / only_b if only_b > 0 else None
