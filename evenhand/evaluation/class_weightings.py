"""Recall where classes count differently: under another prior, or in a group of many, medium or few shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.evaluation.intervals import mean_of_proportions, widen_by_seeds
from evenhand.evaluation.shot_groups import ShotGroup, shot_group

Prior = Literal["balanced", "training", "reversed"]


@dataclass(frozen=True)
class WeightedRecall:
    """Mean recall under weights of the classes; under a prior of the classes it is the accuracy.

    Attributes:
      recall: in [0, 1].
      low: lower end of its interval.
      high: upper end of its interval.
    """

    recall: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        """The object as it stands in result.json."""
        return dict(self.__dict__)


def priors(train_counts: Sequence[int]) -> dict[Prior, NDArray[np.float64]]:
    """The priors under which a classifier is judged, float64[c] summing to 1 each.

    `balanced` makes all classes equally likely, `training` as likely as among the training images, `reversed` swaps the
    most with the least likely, the second with the second least, and so on (Hong et al., Disentangling Label
    Distribution for Long-tailed Visual Recognition, 2021, test it as "backward").

    Args:
      train_counts: real training images of each class, not all 0.
    """
    counts = np.asarray(train_counts, np.float64)
    order = np.argsort(counts, kind="stable")
    swapped = np.empty_like(counts)
    swapped[order] = counts[order[::-1]]
    return {
        "balanced": np.full(len(counts), 1 / len(counts)),
        "training": counts / counts.sum(),
        "reversed": swapped / counts.sum(),
    }


def group_members(train_counts: Sequence[int]) -> dict[ShotGroup, NDArray[np.float64]]:
    """float64[c] of 0 and 1 for each group that holds a class: which classes are in it."""
    groups = np.array([shot_group(count) for count in train_counts])
    names: tuple[ShotGroup, ...] = ("many", "medium", "few")
    return {name: (groups == name).astype(np.float64) for name in names if (groups == name).any()}


def weighted_recall(
    labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike, confidence: float = 0.95
) -> WeightedRecall | None:
    """Mean recall where class k counts by `weights[k]`.

    The interval holds the doubt about test images (the classes' Wilson intervals, added in quadrature) and with several
    seeds that about seeds (`widen_by_seeds`).

    Args:
      labels: int[n], the true classes, each in [0, c).
      predictions: int[r, n] or int[n], predicted classes for each of r seeds.
      weights: float[c], not negative, in any scale; classes without test images are left out.
      confidence: the level, in (0, 1).

    Returns:
      The mean; None if no class that counts has test images.
    """
    labels, shares = np.asarray(labels), np.asarray(weights, np.float64)
    support = np.bincount(labels, minlength=len(shares))
    right = np.stack([np.bincount(labels[row == labels], minlength=len(shares)) for row in np.atleast_2d(predictions)])
    counted = (support > 0) & (shares > 0)
    if not counted.any():
        return None
    kept = shares[counted] / shares[counted].sum()
    per_seed = (right[:, counted] / support[counted]) @ kept
    of_images = mean_of_proportions(right[:, counted].mean(axis=0), support[counted], confidence, kept)
    low, high = widen_by_seeds(of_images, [float(recall) for recall in per_seed], confidence)
    # Shares that sum to 1 but for rounding may lift a perfect recall above 1.
    return WeightedRecall(min(1.0, float(per_seed.mean())), max(0.0, low), min(1.0, high))
