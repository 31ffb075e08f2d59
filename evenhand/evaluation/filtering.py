"""Which synthetic images are used: what a filter decides, the best images of each class, and what came of a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Decision:
    """What one filter says of the images that it was given.

    Attributes:
      scores: float[m], what it went by; higher speaks for an image.
      kept: bool[m].
    """

    scores: NDArray[np.floating]
    kept: NDArray[np.bool_]


@dataclass(frozen=True)
class Step:
    """One filter of a chain.

    Attributes:
      name: of the filter.
      options: its options, as JSON.
      rows: int64[m], the images that it was given, by row among all that were drawn.
      scores: float[m], what it went by.
      kept: bool[m].
    """

    name: str
    options: Mapping[str, Any]
    rows: NDArray[np.int64]
    scores: NDArray[np.floating]
    kept: NDArray[np.bool_]


@dataclass(frozen=True)
class Filtered:
    """What came of a chain of filters.

    Attributes:
      labels: int[n], classes of all images that were drawn.
      num_classes: how many classes there are.
      steps: the filters, in order; each was given what the one before it kept.
      used: bool[n], the images that strategies learn from: of those that passed, no more of a class than asked.
    """

    labels: NDArray[np.integer]
    num_classes: int
    steps: tuple[Step, ...]
    used: NDArray[np.bool_]

    @property
    def passed(self) -> NDArray[np.bool_]:
        """bool[n], the images that every filter kept."""
        passed = np.zeros(len(self.labels), bool)
        last = self.steps[-1]
        passed[last.rows[last.kept]] = True
        return passed

    def counts(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[c], chosen images of each class; by mask or by rows."""
        return np.bincount(self.labels[chosen], minlength=self.num_classes)


def best_of_each_class(
    scores: ArrayLike, labels: ArrayLike, *, keep: float | None = None, top_k: int | None = None
) -> NDArray[np.bool_]:
    """Marks the images with the highest scores of each class; of equal scores, the earlier images.

    Args:
      scores: float[n], finite.
      labels: int[n], classes from 0.
      keep: share of each class, in (0, 1], rounded down, but one image of every class that has any.
      top_k: images of each class, instead of a share.

    Returns:
      bool[n].

    Raises:
      ValueError: unless just one of `keep` and `top_k` is given, or where a score is not finite.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
    if (keep is None) == (top_k is None):
        raise ValueError(f"give keep or top_k, one of them, not {keep} and {top_k}")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    sizes = np.bincount(labels)
    # A share such as 0.29 of 100 images falls a hair below 29.
    most = np.full(len(sizes), top_k) if keep is None else np.maximum(1, np.floor(keep * sizes + 1e-9))
    order = np.lexsort((np.arange(len(labels)), -scores, labels))
    return _marked(order, sizes, most)


def first_of_each_class(passed: NDArray[np.bool_], labels: ArrayLike, most: Sequence[int]) -> NDArray[np.bool_]:
    """Marks, of the images that passed, the first `most[c]` of each class, so that there are never more than asked.

    The first and not the best: seeds say nothing of an image, so that what is cut off leaves the variety as it is.

    Args:
      passed: bool[n].
      labels: int[n], classes from 0.
      most: images of each class that were asked for.

    Returns:
      bool[n], a part of `passed`.
    """
    rows = np.flatnonzero(passed)
    inside = np.asarray(labels)[rows]
    sizes = np.bincount(inside, minlength=len(most))
    used = np.zeros(len(passed), bool)
    used[rows[_marked(np.argsort(inside, kind="stable"), sizes, np.asarray(most))]] = True
    return used


def _marked(
    order: NDArray[np.int64], sizes: NDArray[np.int64], most: NDArray[np.integer] | NDArray[np.floating]
) -> NDArray[np.bool_]:
    """The first `most[c]` of each class in an order that has the classes one after the other."""
    ranks = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    marked = np.zeros(len(order), bool)
    marked[order[ranks < np.repeat(most, sizes)]] = True
    return marked
