"""Images that belong together: copies of one picture, and all images of one person or patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def picture_numbers(digests: NDArray[np.void], readable: NDArray[np.bool_]) -> NDArray[np.int32]:
    """int32[n], from 0 without gaps: equal for equal pixels; an unreadable image has a number of its own."""
    order = np.argsort(digests, kind="stable")
    ordered = digests[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]) | ~readable[order[1:]]
    numbers = np.empty(len(order), np.int32)
    numbers[order] = np.cumsum(is_new, dtype=np.int32) - 1
    return numbers


def join(pictures: NDArray[np.int32], groups: NDArray[np.int32] | None) -> NDArray[np.int32]:
    """int32[n], from 0 without gaps: equal for images that a chain of equal pictures and equal groups connects.

    Args:
      pictures: int32[n], numbers of the pictures, from 0 without gaps.
      groups: int32[n], number of the person or patient; None without groups.
    """
    if groups is None:
        return pictures
    clusters = pictures
    links = (pictures, _dense(groups))
    # The lowest number spreads along both kinds of link until nothing changes.
    while True:
        spread = clusters
        for link in links:
            lowest = np.full(link.max(initial=-1) + 1, len(link), np.int32)
            np.minimum.at(lowest, link, spread)
            spread = lowest[link]
        if np.array_equal(spread, clusters):
            return _dense(clusters)
        clusters = spread


def _dense(numbers: NDArray[np.integer]) -> NDArray[np.int32]:
    """The same equalities, numbered from 0 without gaps."""
    return np.unique(numbers, return_inverse=True)[1].astype(np.int32)


def count_duplicates(pictures: NDArray[np.integer], readable: NDArray[np.bool_]) -> int:
    """Images that repeat the picture of an earlier one."""
    return int(readable.sum() - len(np.unique(pictures[readable])))


def count_conflicting(pictures: NDArray[np.integer], labels: NDArray[np.integer], readable: NDArray[np.bool_]) -> int:
    """Images whose picture also stands under another label."""
    size = len(pictures)
    lowest, highest = np.full(size, np.iinfo(np.int32).max, np.int32), np.full(size, -1, np.int32)
    np.minimum.at(lowest, pictures, labels)
    np.maximum.at(highest, pictures, labels)
    return int(np.count_nonzero((lowest < highest)[pictures] & readable))
