"""The three-sample test of data-copying: do generated images lie nearer to the training images than fresh ones do?

Meehan, Chaudhuri and Dasgupta, A Three Sample Hypothesis Test for Evaluating Generative Models, 2020. It speaks of the
generator as a whole, where the audit of copies speaks of single images: a generator that stays a little too near to
all its training images shows here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from evenhand.evaluation.neighbours import nearest_features


@dataclass(frozen=True)
class DataCopying:
    """Outcome of the test.

    Attributes:
      statistic: C_T, the mean of the cells' z weighted by their shares of the held-out images; far below 0 means
        copying, far above 0 that the generator misses the training images (underfits); None where no cell counts.
      p: probability of a C_T as low as this without copying (normal approximation); None likewise.
      z: float64[cells], of each cell; NaN where it holds too few images.
    """

    statistic: float | None
    p: float | None
    z: NDArray[np.float64]


def mann_whitney_z(first: ArrayLike, second: ArrayLike) -> float:
    """Standardised Mann-Whitney statistic: above 0 where values of the first sample tend to be the larger ones.

    U counts the pairs with first > second, ties half; z = (U - mn/2) / sd, the standard deviation corrected for ties
    (without ties the paper's mn(m + n + 1)/12). 0 where all values are equal.

    Args:
      first: float[m].
      second: float[n].

    Raises:
      ValueError: if a sample is empty.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    m, n = len(a), len(b)
    if not m or not n:
        raise ValueError(f"both samples need a value, not {m} and {n}")
    ranks = stats.rankdata(np.concatenate([a, b]))
    u = ranks[:m].sum() - m * (m + 1) / 2
    _, repeats = np.unique(ranks, return_counts=True)
    ties = float((repeats.astype(np.float64) ** 3 - repeats).sum())
    variance = m * n / 12 * ((m + n + 1) - ties / ((m + n) * (m + n - 1)))
    return float((u - m * n / 2) / np.sqrt(variance)) if variance > 0 else 0.0


def data_copying_test(
    synthetic: tuple[ArrayLike, ArrayLike],
    train: tuple[ArrayLike, ArrayLike],
    held_out: tuple[ArrayLike, ArrayLike],
    *,
    least_synthetic: int = 20,
    least_held_out: int = 5,
) -> DataCopying:
    """C_T: in each cell, the distances of generated images to the nearest training image against those of fresh ones.

    Args:
      synthetic: features float[m, d] and cells int[m] (classes, or those of `feature_cells`).
      train: features float[l, d] and cells int[l].
      held_out: features float[n, d] and cells int[n], of real images that the generator was not trained on.
      least_synthetic: cells with fewer generated images do not count (the paper's tau).
      least_held_out: cells with fewer held-out images do not count.
    """
    samples = [
        (np.asarray(features, np.float32), np.asarray(cells)) for features, cells in (synthetic, train, held_out)
    ]
    (generated, generated_cells), (known, known_cells), (fresh, fresh_cells) = samples
    num_cells = 1 + int(max((cells.max() for _, cells in samples if len(cells)), default=-1))
    z = np.full(num_cells, np.nan)
    weights = np.bincount(fresh_cells, minlength=num_cells) / max(1, len(fresh_cells))
    for cell in range(num_cells):
        parts = (generated[generated_cells == cell], fresh[fresh_cells == cell])
        own = known[known_cells == cell]
        if len(parts[0]) >= least_synthetic and len(parts[1]) >= least_held_out and len(own):
            z[cell] = mann_whitney_z(*(nearest_features(part, own, 1)[1][:, 0] for part in parts))
    counts = np.isfinite(z)
    if not counts.any():
        return DataCopying(None, None, z)
    share = weights[counts] / weights[counts].sum()
    statistic = float(share @ z[counts])
    return DataCopying(statistic, float(stats.norm.cdf(statistic / np.sqrt(share @ share))), z)


def feature_cells(train: ArrayLike, *others: ArrayLike, num_cells: int, seed: int) -> tuple[NDArray[np.int64], ...]:
    """Cells by k-means on the training features, as in the paper.

    Args:
      train: float[l, d].
      *others: float[n, d] each.
      num_cells: cells, at most l.
      seed: of k-means.

    Returns:
      int64[l] and for each of the others int64[n]: the cell of each row.
    """
    from sklearn.cluster import KMeans

    known = np.asarray(train, np.float32)
    means = KMeans(num_cells, n_init=4, random_state=seed).fit(known)
    parts = (known, *(np.asarray(other, np.float32) for other in others))
    return tuple(means.predict(part).astype(np.int64) for part in parts)
