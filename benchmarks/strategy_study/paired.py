"""A change between two arms whose seeds go in pairs, and how far other seeds and images might move it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evenhand.evaluation.change_interval import Blocks, ChangeOverSeeds


def paired_over_seeds(strategy: Blocks, reference: Blocks, weights: NDArray[np.float64]) -> ChangeOverSeeds:
    """A strategy's change over pairs of seeds that share split, order and initial weights.

    `evenhand.evaluation.change_interval.over_seeds` takes the seeds of either side as independent of each other. Here
    the change of a pair is what varies: seeds crossed with images, one sample of differences in {-1, 0, 1}. The
    variance of the mean is that between pairs, plus that between images, less that of both together, which either
    holds (two-way random effects; Gallas, One-Shot Estimate of MRMC Variance, 2006), the latter two within each class;
    Student's t has the degrees of freedom of Welch and Satterthwaite.

    Args:
      strategy: a block bool[seeds, images] per class, of at least 2 seeds: whether each model is right.
      reference: of the same images and seeds, in the same order.
      weights: float64[c] of the blocks, summing to 1.
    """
    changes = [a.astype(np.float64) - b for a, b in zip(strategy, reference, strict=True)]
    num_pairs = len(changes[0])
    per_pair = sum(w * change.mean(axis=1) for w, change in zip(weights, changes, strict=True))
    of_pairs = float(np.var(per_pair, ddof=1)) / num_pairs
    of_images = sum(w**2 * _of_images(change) for w, change in zip(weights, changes, strict=True))
    variance = of_pairs + of_images
    freedom = variance**2 / (of_pairs**2 / (num_pairs - 1)) if of_pairs > 0 else math.inf
    return ChangeOverSeeds(float(np.mean(per_pair)), variance, freedom)


def _of_images(changes: NDArray[np.float64]) -> float:
    """Variance of the mean of float64[seeds, images] between images, less what seeds and images make together."""
    num_seeds, num_images = changes.shape
    by_image, by_seed = changes.mean(axis=0), changes.mean(axis=1, keepdims=True)
    rest = changes - by_image - by_seed + changes.mean()
    together = float(np.square(rest).sum()) / ((num_seeds - 1) * max(num_images - 1, 1)) / (num_seeds * num_images)
    between = float(np.var(by_image, ddof=1)) / num_images if num_images > 1 else 0.0
    return max(0.0, between - together)
