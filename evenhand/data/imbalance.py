"""The imbalance profile: how many images each class keeps, and which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from evenhand.config import CountsProfile, GeometricProfile, Profile
from evenhand.errors import UserError


def geometric_counts(largest: int, ratio: float, num_classes: int) -> list[int]:
    """Images of each class under a geometric profile: ceil(n * C^k) for k = 0, 1, … (S3, section 3), at least 1.

    The ratio is taken as the decimal number that is written: 1000 images under 0.1 give 1000, 100, 10, 1, although
    0.1 squared is a little above 0.01 in floating point.

    Args:
      largest: n, images of the first class.
      ratio: C, in (0, 1].
      num_classes: how many counts.

    Example:
      >>> geometric_counts(100, 0.65, 10)
      [100, 65, 43, 28, 18, 12, 8, 5, 4, 3]
    """
    if largest < 1 or not 0 < ratio <= 1 or num_classes < 1:
        raise ValueError(
            f"largest and num_classes must be positive, ratio in (0, 1]: {largest}, {num_classes}, {ratio}"
        )
    exact = Fraction(str(float(ratio)))
    return [math.ceil(largest * exact**k) for k in range(num_classes)]


def profile_counts(
    profile: Profile | None, available: NDArray[np.integer], class_names: Sequence[str]
) -> NDArray[np.int64]:
    """Images that each class keeps.

    Args:
      profile: None keeps all.
      available: int[c], images there are.
      class_names: their names.

    Returns:
      int64[c], nowhere more than `available`.

    Raises:
      UserError: if explicit counts exceed what exists, or counts or order do not match the classes.
    """
    if profile is None:
        return available.astype(np.int64)
    if isinstance(profile, CountsProfile):
        return _explicit_counts(profile, available, class_names)
    order = _class_order(profile, available, class_names)
    largest = profile.largest if profile.largest is not None else int(available[order[0]])
    counts = np.empty(len(class_names), np.int64)
    counts[order] = geometric_counts(max(largest, 1), profile.ratio, len(class_names))
    return np.minimum(counts, available)


def _explicit_counts(
    profile: CountsProfile, available: NDArray[np.integer], class_names: Sequence[str]
) -> NDArray[np.int64]:
    where = "data.profile.counts"
    if len(profile.counts) != len(class_names):
        raise UserError(
            where,
            f"gives {len(profile.counts)} counts for {len(class_names)} classes",
            f"give one count for each of {', '.join(class_names)}",
        )
    for name, wanted, there in zip(class_names, profile.counts, available, strict=True):
        if wanted > there:
            raise UserError(
                where,
                f"asks for {wanted} images of class {name!r}, but {there} are left beside the test split",
                f"ask for {there} at most, or lower data.splits.test",
            )
    return np.asarray(profile.counts, np.int64)


def _class_order(
    profile: GeometricProfile, available: NDArray[np.integer], class_names: Sequence[str]
) -> NDArray[np.int64]:
    if profile.order == "classes":
        return np.arange(len(class_names))
    if profile.order == "largest-first":
        return np.argsort(-available, kind="stable")
    if sorted(profile.order) != sorted(class_names):
        raise UserError(
            "data.profile.order", "does not name every class once", f"order these: {', '.join(class_names)}"
        )
    return np.asarray([class_names.index(name) for name in profile.order])


def keep_random(
    labels: NDArray[np.integer],
    candidates: NDArray[np.bool_],
    counts: NDArray[np.integer],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Chooses `counts[c]` images of each class at random.

    Args:
      labels: int[n].
      candidates: bool[n], the images to choose among.
      counts: int[c], at most as many as there are candidates of the class.
      rng: source of the choice.

    Returns:
      bool[n], the images chosen.
    """
    rows = rng.permutation(np.flatnonzero(candidates).astype(np.int32))
    rows = rows[np.argsort(labels[rows], kind="stable")]
    sizes = np.bincount(labels[rows], minlength=len(counts))
    # The rank of each image within its class, in the random order.
    ranks = np.arange(len(rows), dtype=np.int32) - np.repeat((np.cumsum(sizes) - sizes).astype(np.int32), sizes)
    kept = np.zeros(len(labels), bool)
    kept[rows[ranks < counts[labels[rows]]]] = True
    return kept
