"""Divides images into training, validation and test, in the one order that keeps the test split apart.

First test: the source's own, else a stratified share. Then the imbalance profile, on the rest. Then validation, from
the thinned rest, so that it knows no more of the rare classes than a user would. Images that belong together (copies
of a picture, one person's images) stay on one side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Profile, Splits
from evenhand.data.image_set import SPLITS
from evenhand.data.imbalance import keep_random, profile_counts
from evenhand.errors import UserError
from evenhand.named import counted

NONE, TRAIN, VALIDATION, TEST = range(len(SPLITS))

VALIDATION_MINIMUM = 10
"""A class with fewer images gives none to validation."""


@dataclass(frozen=True)
class Labelled:
    """The images to divide.

    Attributes:
      labels: int32[n].
      own: uint8[n], the source's own splits as indices into `SPLITS`.
      clusters: int32[n], equal for images that must stay together.
      usable: bool[n], the images that could be read.
      class_names: names of the classes.
    """

    labels: NDArray[np.int32]
    own: NDArray[np.uint8]
    clusters: NDArray[np.int32]
    usable: NDArray[np.bool_]
    class_names: Sequence[str]

    def counts(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """int64[c], chosen images of each class."""
        return np.bincount(self.labels[chosen], minlength=len(self.class_names))


def split_images(images: Labelled, shares: Splits, profile: Profile | None, seed: int) -> tuple[NDArray[np.uint8], int]:
    """Divides the images.

    Args:
      images: what to divide.
      shares: of validation and test, where the source has none of its own.
      profile: the imbalance to make on what is left beside the test split.
      seed: of every choice.

    Returns:
      uint8[n], the split of each image as an index into `SPLITS` (0: not used), and the number of images withheld
      because something they belong to stands in the source's own test or validation split.

    Raises:
      UserError: if a class is left without an image for training or for the test, or the profile cannot be made.
    """
    rngs = [np.random.default_rng([seed, stage]) for stage in range(3)]
    test, rest, withheld = _split_test(images, shares, rngs[0])
    split = np.where(test, TEST, NONE).astype(np.uint8)
    kept = _thin(images, rest, profile, rngs[1])
    split[kept] = TRAIN
    own_validation = images.usable & (images.own == VALIDATION)
    if own_validation.any():
        split[kept & own_validation] = VALIDATION
    else:
        split[_choose_validation(images, kept, shares.validation, rngs[2])] = VALIDATION
    _check(images, split)
    return split, withheld


def _split_test(
    images: Labelled, shares: Splits, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], int]:
    """Test images, the rest, and how many are withheld from the rest."""
    own = np.where(images.usable, images.own, NONE)
    if (own == TEST).any():
        test = own == TEST
    else:
        candidates = images.usable & (own != VALIDATION)
        counts = images.counts(candidates)
        targets = np.minimum(np.maximum(_round(counts * shares.test), shares.test > 0), np.maximum(counts - 1, 0))
        test = take(images.labels, images.clusters, candidates, targets, rng)
    level = np.where(images.usable, np.where(own == VALIDATION, VALIDATION, TRAIN), NONE).astype(np.uint8)
    level[test] = TEST
    highest = np.zeros(images.clusters.max(initial=-1) + 1, level.dtype)
    np.maximum.at(highest, images.clusters, level)
    apart = images.usable & (level == highest[images.clusters])
    rest = apart & ~test
    if shares.validation == 0:
        rest &= own != VALIDATION
    return test, rest, int(np.count_nonzero(images.usable & ~apart))


def _thin(
    images: Labelled, rest: NDArray[np.bool_], profile: Profile | None, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Keeps the profile's counts, for training and validation together."""
    if profile is None:
        return rest
    available = images.counts(rest)
    counts = profile_counts(profile, available, images.class_names)
    # A validation split of the source's own is thinned in proportion; training keeps what rounding leaves.
    own = rest & (images.own == VALIDATION)
    own_counts = images.counts(own) * counts // np.maximum(available, 1)
    kept = keep_random(images.labels, own, own_counts, rng)
    return kept | keep_random(images.labels, rest & ~own, counts - own_counts, rng)


def _choose_validation(
    images: Labelled, kept: NDArray[np.bool_], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    counts = images.counts(kept)
    targets = np.where(counts < VALIDATION_MINIMUM, 0, np.minimum(_round(counts * share), counts - 1))
    return take(images.labels, images.clusters, kept, targets, rng)


def _round(values: NDArray[np.floating]) -> NDArray[np.int64]:
    return np.floor(values + 0.5).astype(np.int64)


def take(
    labels: NDArray[np.integer],
    clusters: NDArray[np.integer],
    candidates: NDArray[np.bool_],
    targets: NDArray[np.integer],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Chooses whole clusters so that each class comes as near to its target as they allow.

    Exact where every image stands alone. No class gives its last cluster away, and a class whose target is 0 gives
    nothing.

    Args:
      labels: int[n].
      clusters: int[n].
      candidates: bool[n], the images to choose among.
      targets: int[c], images to take of each class.
      rng: source of the choice.

    Returns:
      bool[n], the images taken.
    """
    sizes = np.bincount(clusters[candidates], minlength=clusters.max(initial=-1) + 1)
    alone = candidates & (sizes[clusters] == 1)
    choice = _Choice(
        labels, clusters, candidates & ~alone, targets, np.bincount(labels[candidates], minlength=len(targets))
    )
    order = rng.permutation(choice.num_clusters)
    # Clusters come in at the rate of single images, so that copies gather on neither side.
    early = rng.random(len(order)) < targets.sum() / max(int(candidates.sum()), 1)
    choice.offer(order[early])
    available = np.bincount(labels[alone], minlength=len(targets))
    singles = keep_random(labels, alone, np.clip(targets - choice.taken_counts, 0, available), rng)
    choice.taken_counts += np.bincount(labels[singles], minlength=len(targets))
    choice.offer(order[~early])
    choice.serve_the_empty()
    return choice.taken | singles


class _Choice:
    """Clusters of several images, and which of them are taken so far."""

    def __init__(
        self,
        labels: NDArray[np.integer],
        clusters: NDArray[np.integer],
        candidates: NDArray[np.bool_],
        targets: NDArray[np.integer],
        available: NDArray[np.integer],
    ) -> None:
        rows = np.flatnonzero(candidates)
        self._rows = rows[np.argsort(clusters[rows], kind="stable")]
        self._starts = np.searchsorted(clusters[self._rows], np.unique(clusters[self._rows]))
        self._ends = np.append(self._starts[1:], len(rows))
        self._labels, self._targets, self._available = labels, targets, available
        self.num_clusters = len(self._starts)
        self.taken = np.zeros(len(labels), bool)
        self.taken_counts = np.zeros(len(targets), np.int64)

    def _members(self, cluster: int) -> NDArray[np.int64]:
        return self._rows[self._starts[cluster] : self._ends[cluster]]

    def _counts(self, cluster: int) -> NDArray[np.int64]:
        return np.bincount(self._labels[self._members(cluster)], minlength=len(self._targets))

    def _may_take(self, counts: NDArray[np.int64]) -> bool:
        touched = counts > 0
        remaining = self._available - self.taken_counts - counts
        return bool((self._targets[touched] > 0).all() and (remaining[touched] > 0).all())

    def _take(self, cluster: int, counts: NDArray[np.int64]) -> None:
        self.taken[self._members(cluster)] = True
        self.taken_counts += counts

    def offer(self, order: NDArray[np.integer]) -> None:
        """Takes, in order, each cluster that brings the counts nearer to the targets."""
        for cluster in order:
            lacking = self._targets - self.taken_counts
            if not (lacking > 0).any():
                return
            counts = self._counts(cluster)
            if self._may_take(counts) and np.abs(lacking - counts).sum() < np.abs(lacking).sum():
                self._take(cluster, counts)

    def serve_the_empty(self) -> None:
        """Gives each class that should have images and got none its smallest cluster, though it be too large."""
        for label in np.flatnonzero((self._targets > 0) & (self.taken_counts == 0)) if self.num_clusters else ():
            mine = np.flatnonzero(np.logical_or.reduceat(self._labels[self._rows] == label, self._starts))
            for cluster in mine[np.argsort((self._ends - self._starts)[mine], kind="stable")]:
                counts = self._counts(cluster)
                if not self.taken[self._members(cluster)[0]] and self._may_take(counts):
                    self._take(cluster, counts)
                    break


def check_validation(images: int, field: str, otherwise: str) -> None:
    """Looks whether there is a validation image.

    Args:
      images: the validation images of all classes.
      field: the config's field that needs one.
      otherwise: what else to do about it than to add images.

    Raises:
      UserError: that names `field`, if there is none.
    """
    if not images:
        raise UserError(
            field,
            f"needs a validation image, and there is none (a class of fewer than {VALIDATION_MINIMUM} images gives "
            "none, whatever data.splits.validation is)",
            f"add images, or {otherwise}",
        )


def _check(images: Labelled, split: NDArray[np.uint8]) -> None:
    more_for_test = (
        "add some to the source's own test images" if (images.own == TEST).any() else "raise data.splits.test"
    )
    for number, purpose, remedy in (
        (TRAIN, "training", "give it more distinct images, or leave the class out by data.classes"),
        (TEST, "the test", f"give it more distinct images, {more_for_test}, or leave it out by data.classes"),
    ):
        empty = np.flatnonzero(images.counts(split == number) == 0)
        if len(empty):
            names = ", ".join(repr(images.class_names[label]) for label in empty[:5])
            total = int(images.counts(images.usable)[empty[0]])
            one = f"class {names} ({counted(total, 'readable image')}) has"
            subject = one if len(empty) == 1 else f"classes {names} have"
            raise UserError("data.splits", f"{subject} no image left for {purpose}", remedy)
