"""How far a change between two strategies may be from the truth, over test images and over training seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evenhand.evaluation.intervals import paired_difference

MINIMUM_TEST_IMAGES = 10
"""Below this many test images of a class no ranking is drawn from it."""

_CONFIDENCE = 0.95
"""Of the interval that tells the variance of a small class."""

Blocks = Sequence[NDArray[np.bool_]]
"""One bool[seeds, images] block per class with images: whether each seed's model is right."""


def change_interval(
    strategy: Blocks,
    reference: Blocks,
    weights: NDArray[np.float64],
    *,
    confidence: float = 0.95,
    seed: int = 0,
    num_resamples: int = 10_000,
) -> tuple[float, float]:
    """Interval of a weighted mean over classes of the change of recall.

    With one seed it holds the doubt about test images alone: a paired bootstrap, stratified by class, never narrower
    than what the classes' own intervals add up to. With several it holds that about seeds as well (`over_seeds`).

    Args:
      strategy: a block per class.
      reference: of the same images.
      weights: float64[c] of the blocks, summing to 1.
      confidence: the level, in (0, 1).
      seed: of the bootstrap's draws.
      num_resamples: draws of the bootstrap.

    Returns:
      The lower and upper end, each in [-1, 1].
    """
    if len(strategy[0]) > 1:
        return over_seeds(strategy, reference, weights).interval(confidence)
    drawn = _bootstrap(strategy, reference, weights, confidence, seed, num_resamples)
    combined = _combined(strategy, reference, weights, confidence)
    return min(drawn[0], combined[0]), max(drawn[1], combined[1])


@dataclass(frozen=True)
class ChangeOverSeeds:
    """A change, seen with several seeds on some images, and how far other seeds and images might move it.

    Attributes:
      change: weighted mean over classes of the change of recall.
      variance: of that mean.
      freedom: degrees of freedom of Student's t that its variance is worth; infinite where seeds agree.
    """

    change: float
    variance: float
    freedom: float

    def reach(self, confidence: float = 0.95) -> float:
        """Half the width of the interval."""
        return float(stats.t.ppf((1 + confidence) / 2, self.freedom)) * math.sqrt(self.variance)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The lower and upper end, each in [-1, 1]."""
        reach = self.reach(confidence)
        return max(-1.0, self.change - reach), min(1.0, self.change + reach)

    @property
    def p(self) -> float:
        """Two-sided p-value of no change."""
        if self.variance == 0:
            return 1.0
        return float(2 * stats.t.sf(abs(self.change) / math.sqrt(self.variance), self.freedom))


def over_seeds(strategy: Blocks, reference: Blocks, weights: NDArray[np.float64]) -> ChangeOverSeeds:
    """A strategy's change over the seeds and the images that might have been drawn instead.

    Seeds are crossed with images as readers are with cases (Gallas, One-Shot Estimate of MRMC Variance, 2006): the
    variance is that between seeds plus that between images, less that of seeds and images together, which either holds.
    The strategies' seeds are taken as independent of each other, so that both count towards the degrees of freedom of
    Student's t (Welch 1947; Hillis, A Comparison of Denominator Degrees of Freedom Methods for Multiple Observer ROC
    Analysis, 2007). Where equal seeds make two models alike, the interval is too wide, not too narrow. The variance
    between images is that of Agresti and Min (Simple Improved Confidence Intervals for Comparing Matched Proportions,
    2005), who add two images to each class, so that a few which all agree still leave doubt; below
    `MINIMUM_TEST_IMAGES` at least that of Newcombe's interval, since the smallest classes often agree by chance.

    Args:
      strategy: a block per class, of at least 2 seeds.
      reference: of the same images; as many seeds.
      weights: float64[c] of the blocks, summing to 1.
    """
    num_seeds = len(strategy[0])
    sides = [
        sum(w * block.mean(axis=1) for w, block in zip(weights, side, strict=True)) for side in (strategy, reference)
    ]
    of_seeds = [float(np.var(scores, ddof=1)) / num_seeds for scores in sides]
    of_images = sum(
        w**2 * max(_least_variance(a, b), _between_images(a, b) - _together(a) - _together(b))
        for w, a, b in zip(weights, strategy, reference, strict=True)
    )
    variance = sum(of_seeds) + of_images
    freedom = freedom_over_seeds(variance, of_seeds, num_seeds)
    return ChangeOverSeeds(float(np.mean(sides[0]) - np.mean(sides[1])), variance, freedom)


def freedom_over_seeds(variance: float, of_seeds: Sequence[float], num_seeds: int) -> float:
    """Degrees of freedom of a variance, of which either side's part between seeds is an estimate (Welch, 1947).

    Args:
      variance: the whole.
      of_seeds: the parts.
      num_seeds: that each part was estimated from.
    """
    wobble = sum(v**2 for v in of_seeds) / (num_seeds - 1)
    return variance**2 / wobble if wobble > 0 else math.inf


def _between_images(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Variance of the mean over images of the change, two images added: one that gains or loses, one that does not."""
    changes = a.mean(axis=0) - b.mean(axis=0)
    padded = len(changes) + 2
    return ((float(changes @ changes) + 1) / padded - (float(changes.sum()) / padded) ** 2) / padded


def _least_variance(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """What the two added images leave where all others agree: an estimate below it, even below 0, is no certainty."""
    num_images = a.shape[1]
    least = 1.0 / (num_images + 2) ** 2
    if num_images >= MINIMUM_TEST_IMAGES:
        return least
    change, (low, high) = float(a.mean() - b.mean()), image_interval(a, b, _CONFIDENCE)
    reach = max(change - low, high - change) / float(stats.norm.ppf((1 + _CONFIDENCE) / 2))
    return max(least, reach**2)


def _together(block: NDArray[np.bool_]) -> float:
    """Variance of the mean over seeds and images from what neither a seed nor an image explains alone."""
    num_seeds, num_images = block.shape
    by_seed, by_image, share = block.mean(axis=1), block.mean(axis=0), float(block.mean())
    # The sum of squares that is left, since the squares of 0 and 1 are themselves.
    rest = num_seeds * num_images * (share + share**2)
    rest -= num_images * float(by_seed @ by_seed) + num_seeds * float(by_image @ by_image)
    return max(0.0, rest) / ((num_seeds - 1) * max(num_images - 1, 1)) / (num_seeds * num_images)


def image_interval(a: NDArray[np.bool_], b: NDArray[np.bool_], confidence: float) -> tuple[float, float]:
    """Newcombe's interval of one class's change, from bool[seeds, images] of either side, as if seeds were certain."""
    both, only_a, only_b, neither = (float(cell.sum()) / len(a) for cell in (a & b, a & ~b, b & ~a, ~a & ~b))
    return paired_difference(both, only_a, only_b, neither, confidence)


def _combined(
    strategy: Blocks, reference: Blocks, weights: NDArray[np.float64], confidence: float
) -> tuple[float, float]:
    """The classes' own intervals, their distances added in quadrature (the MOVER method, Zou and Donner 2008).

    Where a few images of a class all agree, a bootstrap sees no doubt; Newcombe's interval does.
    """
    pairs = list(zip(strategy, reference, strict=True))
    changes = np.array([a.mean() - b.mean() for a, b in pairs])
    ends = np.array([image_interval(a, b, confidence) for a, b in pairs])
    change = float(weights @ changes)
    return (
        max(-1.0, change - float(np.linalg.norm(weights * (changes - ends[:, 0])))),
        min(1.0, change + float(np.linalg.norm(weights * (ends[:, 1] - changes)))),
    )


def _bootstrap(
    strategy: Blocks,
    reference: Blocks,
    weights: NDArray[np.float64],
    confidence: float,
    seed: int,
    num_resamples: int,
) -> tuple[float, float]:
    """Percentile interval over images drawn again within each class, for a single seed."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros(num_resamples)
    for weight, a, b in zip(weights, strategy, reference, strict=True):
        # Images with equal changes are alike, so drawing how often each kind appears is drawing the images.
        kinds, counts = np.unique(a[0].astype(np.int64) - b[0], return_counts=True)
        num_images = int(counts.sum())
        drawn += weight * (rng.multinomial(num_images, counts / num_images, size=num_resamples) @ kinds) / num_images
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
