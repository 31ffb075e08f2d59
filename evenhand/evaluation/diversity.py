"""How different the images of one class are from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def class_spread(features: ArrayLike, labels: ArrayLike, num_classes: int) -> NDArray[np.float64]:
    """Root mean squared distance of two different images of a class, on any features.

    Twice the variance over n - 1, so that the number of images does not matter.

    Args:
      features: float[n, d].
      labels: int[n], in [0, num_classes).
      num_classes: classes.

    Returns:
      float64[num_classes]; NaN for a class of fewer than two images.
    """
    x, y = np.asarray(features, np.float64), np.asarray(labels)
    spread = np.full(num_classes, np.nan)
    for label in range(num_classes):
        own = x[y == label]
        if len(own) > 1:
            spread[label] = np.sqrt(2.0 * own.var(axis=0, ddof=1).sum())
    return spread


def relative_diversity(
    real: ArrayLike, real_labels: ArrayLike, synthetic: ArrayLike, synthetic_labels: ArrayLike, num_classes: int
) -> NDArray[np.float64]:
    """Spread of each class's synthetic images over that of real ones: 1 is as diverse as life, 0 one single image.

    A class's own real spread counts where it has `_ENOUGH` real images; of fewer it says little, so the mean over the
    other classes stands in.

    Args:
      real: float[n, d], features of real images.
      real_labels: int[n].
      synthetic: float[m, d].
      synthetic_labels: int[m].
      num_classes: classes.

    Returns:
      float64[num_classes]; NaN where there are fewer than two synthetic images of a class, or where no class has two
      real ones.
    """
    own = class_spread(real, real_labels, num_classes)
    counts = np.bincount(np.asarray(real_labels), minlength=num_classes)
    weights = np.where(np.isfinite(own), counts, 0)
    if not weights.any():
        return np.full(num_classes, np.nan)
    typical = np.average(np.nan_to_num(own), weights=weights)
    scale = np.where(counts >= _ENOUGH, own, typical)
    return class_spread(synthetic, synthetic_labels, num_classes) / np.maximum(scale, 1e-12)


_ENOUGH = 10
