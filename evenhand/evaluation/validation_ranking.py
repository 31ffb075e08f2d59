"""Ranks models on one validation split without being fooled by a small one.

All models are seen on the same images, so that differences are told by pairs: most of the noise of a score is that of
the images, and cancels. Between models that lie within one standard error of the best, the order in which they were
given decides: the simplest, or the one that experience favours, stands first (the one-standard-error rule of Breiman et
al., Classification and Regression Trees, 1984, section 3.4.3). Where no order is better founded than another, as among
the values of a tuned field, their scores decide instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def mean_recall(labels: NDArray[np.integer], correct: NDArray[np.bool_]) -> float:
    """Balanced accuracy, in [0, 1]: the mean recall of the classes present.

    Args:
      labels: int[n], true classes, n > 0.
      correct: bool[n], whether each image was recognised.
    """
    seen, right = _tally(labels, correct)
    return float(np.mean(right / seen))


def standard_error(labels: NDArray[np.integer], correct: NDArray[np.bool_]) -> float:
    """Standard error of `mean_recall`; one success and one failure are added to each class, so that it is never 0.

    Args:
      labels: int[n], true classes, n > 0.
      correct: bool[n], whether each image was recognised.
    """
    seen, right = _tally(labels, correct)
    share = (right + 1) / (seen + 2)
    return float(np.sqrt(np.sum(share * (1 - share) / (seen + 2))) / len(seen))


def standard_error_of_difference(
    labels: NDArray[np.integer], first: NDArray[np.bool_], second: NDArray[np.bool_]
) -> float:
    """Standard error of the difference of two models' `mean_recall` on the same images.

    The variance of the paired differences is taken within each class, as if one more image of it had been recognised
    by one of the two alone: two models that agree on the four images of a class may well differ on the fifth.

    Args:
      labels: int[n], true classes, n > 0.
      first: bool[n], whether the first model recognised each image.
      second: bool[n], the same of the second.
    """
    difference = first.astype(float) - second.astype(float)
    seen = np.bincount(labels)
    total = np.bincount(labels, difference)
    discordant = np.bincount(labels, difference**2)
    present = seen > 0
    seen, total, discordant = seen[present], total[present], discordant[present]
    variance = (discordant - total**2 / seen + 1) / seen**2
    return float(np.sqrt(variance.sum()) / len(seen))


def ranked(
    labels: NDArray[np.integer],
    correct: Mapping[str, NDArray[np.bool_]],
    order: Sequence[str],
    *,
    order_decides: bool = True,
) -> tuple[list[str], int]:
    """Names, the best first: those within one standard error of the best, then the others by score.

    Args:
      labels: int[n], true classes, n > 0.
      correct: name -> bool[n], whether each image was recognised.
      order: names, those to be preferred first; may hold more names.
      order_decides: among those within one standard error of the best; where it does not, their scores do, and the
        order among equal scores.

    Returns:
      The names, and how many of them, from the first on, cannot be told from the best.
    """
    names = [name for name in order if name in correct]
    scores = {name: mean_recall(labels, correct[name]) for name in names}
    by_score = sorted(names, key=lambda name: -scores[name])
    best = by_score[0]
    near = [
        name
        for name in (names if order_decides else by_score)
        if scores[best] - scores[name] <= standard_error_of_difference(labels, correct[best], correct[name])
    ]
    return near + [name for name in by_score if name not in near], len(near)


def _tally(labels: NDArray[np.integer], correct: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Images and recognised images of the classes present."""
    if not len(labels):
        raise ValueError("there are no images to be judged on")
    seen = np.bincount(labels)
    return seen[seen > 0], np.bincount(labels[correct], minlength=len(seen))[seen > 0]
