"""How like real images synthetic ones are, measured on features of both.

Every measure depends on the extractor of the features: values of different extractors are never comparable. Features
may be float32 and are turned into float64 a part at a time: 100,000 x 2,048 of them against as many take less than 1 GB
beside the features themselves, and less than 2 GB with them (`benchmarks/score_memory.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

_CHUNK_VALUES = 16_000_000  # distances held at once: 128 MB
_PART_VALUES = 4_000_000  # features turned into float64 at once: 32 MB

Values = NDArray[np.floating[Any]]


def _pair(real: ArrayLike, synthetic: ArrayLike) -> tuple[Values, Values]:
    x, y = _features(real), _features(synthetic)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"expected features [n, d] and [m, d], not {x.shape} and {y.shape}")
    if len(x) < 2 or len(y) < 2:
        raise ValueError(f"at least two images are needed on each side, not {len(x)} and {len(y)}")
    if not all(np.isfinite(part).all() for side in (x, y) for _, part in _parts(side)):
        raise ValueError("features must be finite")
    return x, y


def _features(values: ArrayLike) -> Values:
    array = np.asarray(values)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)


def _parts(features: Values) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Consecutive rows as float64, at most `_PART_VALUES` values (or one row) at a time."""
    rows = max(1, _PART_VALUES // max(1, features.shape[1]))
    for start in range(0, len(features), rows):
        part = np.asarray(features[start : start + rows], np.float64)
        yield slice(start, start + len(part)), part


def _mean(features: Values) -> NDArray[np.float64]:
    total: NDArray[np.float64] = sum(part.sum(axis=0) for _, part in _parts(features))
    return total / len(features)


def _root(features: Values, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix r with r.T @ r = covariance (with n - 1), of at most d rows."""
    scale, width = len(features) - 1, features.shape[1]
    if len(features) <= width:
        return (np.asarray(features, np.float64) - mean) / np.sqrt(scale)
    covariance = np.zeros((width, width))
    for _, part in _parts(features):
        part = part - mean
        covariance += part.T @ part
    values, vectors = linalg.eigh(covariance / scale, driver="evd", overwrite_a=True, check_finite=False)
    # Below this an eigenvalue is rounding, whose root would count as spread.
    kept = values > width * np.finfo(np.float64).eps * max(0.0, float(values[-1]))
    root: NDArray[np.float64] = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    return root


def frechet_distance(real: ArrayLike, synthetic: ArrayLike) -> float:
    """Frechet distance of Gaussians fitted to two sets of features (FID, Heusel et al. 2017, on any features).

    |m1 - m2|^2 + Tr(S1 + S2 - 2 (S1 S2)^(1/2)), with the covariances over n - 1. The trace of the root is the nuclear
    norm of R1 R2^T for S = R^T R, which needs no root of a product and stays exact for fewer images than features.
    Biased upwards for few images (under 2,000 or so): compare equal numbers only.

    Args:
      real: float[n, d], n of at least 2.
      synthetic: float[m, d], m of at least 2.

    Returns:
      The distance, 0 or more; lower is better.
    """
    x, y = _pair(real, synthetic)
    mean_x, mean_y = _mean(x), _mean(y)
    root_x, root_y = _root(x, mean_x), _root(y, mean_y)
    shift = float(np.sum((mean_x - mean_y) ** 2))
    spread = float(np.sum(root_x**2) + np.sum(root_y**2))
    shared = float(np.linalg.svd(root_x @ root_y.T, compute_uv=False).sum())
    return max(0.0, shift + spread - 2 * shared)


def kernel_distance(
    real: ArrayLike, synthetic: ArrayLike, *, num_subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> float:
    """Kernel distance (KID, Binkowski et al. 2018): squared MMD with the kernel (x.y / d + 1)^3, unbiased.

    Args:
      real: float[n, d].
      synthetic: float[m, d].
      num_subsets: subsets over which the estimate is averaged.
      subset_size: images of each side in a subset, drawn without repetition; at most n and m.
      seed: of the draws.

    Returns:
      The mean over the subsets; near 0 for equal distributions, and then as often below as above.

    Raises:
      ValueError: if a subset cannot be drawn.
    """
    x, y = _pair(real, synthetic)
    if num_subsets < 1 or not 2 <= subset_size <= min(len(x), len(y)):
        raise ValueError(
            f"subset_size must be in [2, {min(len(x), len(y))}] and num_subsets at least 1, "
            f"not {subset_size} and {num_subsets}"
        )
    rng = np.random.default_rng(seed)
    size = subset_size
    total = 0.0
    for _ in range(num_subsets):
        a = x[rng.choice(len(x), size, replace=False)].astype(np.float64)
        b = y[rng.choice(len(y), size, replace=False)].astype(np.float64)
        within = sum(kernel.sum() - np.trace(kernel) for kernel in (_kernel(a, a), _kernel(b, b)))
        total += within / (size * (size - 1)) - 2 * _kernel(a, b).mean()
    return float(total / num_subsets)


def _kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    base = a @ b.T / a.shape[1] + 1
    # Two products take a tenth of the time of a power.
    return base * base * base


def inception_score(probabilities: ArrayLike, *, num_splits: int = 10) -> tuple[float, float]:
    """Inception Score (Salimans et al. 2016): exp of the mean KL divergence of p(y|x) from p(y).

    Args:
      probabilities: float[n, c], a classifier's probabilities for synthetic images, rows summing to 1.
      num_splits: consecutive parts over which it is computed; at most n.

    Returns:
      Mean and standard deviation over the parts; the score is in [1, c], higher is better.
    """
    p = _features(probabilities)
    if p.ndim != 2 or not 1 <= num_splits <= len(p):
        raise ValueError(f"expected probabilities [n, c] and 1 <= num_splits <= n, not {p.shape} and {num_splits}")
    if not (p >= 0).all():
        raise ValueError("probabilities must be 0 or more")
    bounds = np.arange(num_splits + 1) * len(p) // num_splits
    scores = []
    for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
        part = np.asarray(p[start:stop], np.float64)
        marginal = np.broadcast_to(part.mean(axis=0), part.shape)
        ratio = np.divide(part, marginal, where=part > 0, out=np.ones_like(part))
        scores.append(np.exp((part * np.log(ratio)).sum(axis=1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


def _squared_distances(
    x: Values, y: Values, centre: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Squared distances of consecutive rows of x to all of y, in chunks that bound the memory.

    Distances come from scalar products, which lose digits far from the origin: so `centre` is taken from both. Each
    chunk overwrites the one before.
    """
    rows = max(1, _CHUNK_VALUES // len(y))
    norms = np.concatenate([((part - centre) ** 2).sum(axis=1) for _, part in _parts(y)])
    buffer = np.empty((min(rows, len(x)), len(y)))
    for start in range(0, len(x), rows):
        some = np.asarray(x[start : start + rows], np.float64) - centre
        distances = buffer[: len(some)]
        for columns, part in _parts(y):
            np.matmul(some, (part - centre).T, out=distances[:, columns])
        distances *= -2
        distances += norms
        distances += (some**2).sum(axis=1)[:, None]
        yield slice(start, start + len(some)), np.maximum(distances, 0.0, out=distances)


def _squared_radii(x: Values, k: int, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distance of each row to its k-th nearest other row."""
    radii = np.empty(len(x))
    for rows, distances in _squared_distances(x, x, centre):
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = 0.0
        distances.partition(k, axis=1)
        radii[rows] = distances[:, k]
    return radii


def prdc(real: ArrayLike, synthetic: ArrayLike, *, k: int = 5) -> dict[str, float]:
    """Precision, recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020) by nearest neighbours.

    Args:
      real: float[n, d], n above k.
      synthetic: float[m, d], m above k.
      k: the neighbour whose distance is an image's radius; 5 in the papers.

    Returns:
      `precision`: share of synthetic images within the radius of some real one; `recall`: share of real images within
      the radius of some synthetic one; `density`: real radii around a synthetic image, over k (1 is expected for equal
      distributions, more is possible); `coverage`: share of real images with a synthetic one within their radius.

    Raises:
      ValueError: if k is not in [1, min(n, m)).
    """
    x, y = _pair(real, synthetic)
    if not 1 <= k < min(len(x), len(y)):
        raise ValueError(f"k must be in [1, {min(len(x), len(y))}), not {k}")
    centre = _mean(x)
    real_radii, synthetic_radii = _squared_radii(x, k, centre), _squared_radii(y, k, centre)
    hits = np.zeros(len(y), np.int64)
    recalled, covered = np.zeros(len(x), bool), np.zeros(len(x), bool)
    for rows, distances in _squared_distances(x, y, centre):
        inside = distances < real_radii[rows, None]
        hits += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (distances < synthetic_radii).any(axis=1)
    return {
        "precision": float((hits > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(hits.mean() / k),
        "coverage": float(covered.mean()),
    }
