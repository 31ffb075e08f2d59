"""How unsure a classifier is about each image: the four measures of S4 (equations 7 to 10), per image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def _checked(probabilities: ArrayLike) -> NDArray[np.float64]:
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or p.shape[1] < 2:
        raise ValueError(f"expected probabilities [n, c] with c of at least 2, not {p.shape}")
    if not ((p >= 0) & (p <= 1 + 1e-6)).all():
        raise ValueError("probabilities must be in [0, 1]")
    return p


def _top_two(p: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ordered = np.partition(p, -2, axis=1)
    return ordered[:, -1], ordered[:, -2]


def least_confidence(p: ArrayLike) -> NDArray[np.float64]:
    """Distance of the largest probability from certainty: c (1 - p*) / (c - 1) (S4, equation 7).

    Args:
      p: float[n, c], probabilities, rows summing to 1.

    Returns:
      float64[n] in [0, 1]; 0 is certain, 1 is uniform.
    """
    p = _checked(p)
    num_classes = p.shape[1]
    return np.clip(num_classes * (1 - p.max(axis=1)) / (num_classes - 1), 0.0, 1.0)


def margin_of_confidence(p: ArrayLike) -> NDArray[np.float64]:
    """Closeness of the two largest probabilities: 1 - (p* - p**) (S4, equation 8).

    Args:
      p: float[n, c], probabilities, rows summing to 1.

    Returns:
      float64[n] in [0, 1]; 0 is certain, 1 is a tie.
    """
    first, second = _top_two(_checked(p))
    return np.clip(1 - (first - second), 0.0, 1.0)


def ratio_of_confidence(p: ArrayLike) -> NDArray[np.float64]:
    """Ratio of the two largest probabilities: p** / p* (S4, equation 9).

    Args:
      p: float[n, c], probabilities, rows summing to 1.

    Returns:
      float64[n] in [0, 1]; 0 is certain, 1 is a tie.
    """
    first, second = _top_two(_checked(p))
    if (first <= 0).any():
        raise ValueError("every row needs a probability above 0")
    return second / first


def entropy(p: ArrayLike) -> NDArray[np.float64]:
    """Entropy as a share of the largest possible: -sum(p log2 p) / log2 c (S4, equation 10).

    Args:
      p: float[n, c], probabilities, rows summing to 1.

    Returns:
      float64[n] in [0, 1]; 0 is certain, 1 is uniform.
    """
    p = _checked(p)
    logs = np.log2(p, where=p > 0, out=np.zeros_like(p))
    return np.clip(-(p * logs).sum(axis=1) / np.log2(p.shape[1]), 0.0, 1.0)


MEASURES: dict[str, Callable[[ArrayLike], NDArray[np.float64]]] = {
    "least_confidence": least_confidence,
    "margin_of_confidence": margin_of_confidence,
    "ratio_of_confidence": ratio_of_confidence,
    "entropy": entropy,
}
"""The four measures by name."""


def mean_uncertainty(p: ArrayLike) -> dict[str, float]:
    """Mean over images of each of the four measures, in [0, 1].

    Args:
      p: float[n, c], probabilities, rows summing to 1; at least one image.
    """
    return {name: float(measure(p).mean()) for name, measure in MEASURES.items()}


def class_uncertainty(labels: ArrayLike, p: ArrayLike, num_classes: int) -> list[dict[str, float] | None]:
    """`mean_uncertainty` of the images of each class; None for a class without images.

    Args:
      labels: int[n], true classes in [0, num_classes).
      p: float[n, c], probabilities, rows summing to 1.
      num_classes: how many entries to give.
    """
    labels = np.asarray(labels)
    support = np.bincount(labels, minlength=num_classes)
    sums = {name: np.bincount(labels, measure(p), minlength=num_classes) for name, measure in MEASURES.items()}
    return [
        {name: float(total[k] / support[k]) for name, total in sums.items()} if support[k] else None
        for k in range(num_classes)
    ]
