"""From a source to a decision about each of its images: unreadable, unused, training, validation or test."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Data
from evenhand.data import clusters, marks, pose
from evenhand.data.image_set import SPLITS, ImageSet
from evenhand.data.load import open_images
from evenhand.data.scan import Scan, scan
from evenhand.data.splits import Labelled, split_images
from evenhand.errors import UserError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preparation:
    """What becomes of each image of a source.

    Attributes:
      image_set: the source's images of the classes that take part.
      split: uint8[n], index into `SPLITS`; 0 for images that are not used.
      channels: 1 or 3, of every record.
      skipped: (id, reason) of the images that cannot be read or are synthetic, and (name, reason) of classes with too
        few images.
      duplicates: images that repeat an earlier picture pixel by pixel.
      conflicting: images whose picture also stands under another label.
      withheld: images left out because their copy, person or patient stands in the source's own test or validation
        split.
    """

    image_set: ImageSet
    split: NDArray[np.uint8]
    channels: int
    skipped: tuple[tuple[str, str], ...]
    duplicates: int
    conflicting: int
    withheld: int

    @property
    def counts(self) -> dict[str, NDArray[np.int64]]:
        """int64[c] images of each class, by split."""
        num_classes = len(self.image_set.class_names)
        return {
            name: np.bincount(self.image_set.labels[self.split == number], minlength=num_classes)
            for number, name in enumerate(SPLITS)
            if number
        }


@dataclass(frozen=True)
class Survey:
    """A source that has been read through, before any image is given a use.

    Attributes:
      image_set: its images.
      scan: what reading them found.
      pictures: int32[n], equal for images with equal pixels.
      skipped: (id, reason) of what cannot be read.
    """

    image_set: ImageSet
    scan: Scan
    pictures: NDArray[np.int32]
    skipped: tuple[tuple[str, str], ...]

    @property
    def duplicates(self) -> int:
        """Images that repeat an earlier picture."""
        return clusters.count_duplicates(self.pictures, self.scan.readable)

    @property
    def conflicting(self) -> int:
        """Images whose picture also stands under another label."""
        return clusters.count_conflicting(self.pictures, self.image_set.labels, self.scan.readable)


def survey(config: Data) -> Survey:
    """Reads through a source.

    Raises:
      UserError: if the source cannot be opened, holds nothing readable, or, under `strict`, anything unreadable; if
        two images would share one file of key points.
    """
    images = open_images(config)
    if config.keypoints is not None:
        pose.check_images(config.keypoints, map(images.identify, range(len(images))))
    found = scan(images)
    skipped = (*images.unreadable, *found.skipped)
    if config.strict and skipped:
        name, reason = skipped[0]
        others = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
        raise UserError(name, f"{reason}{others}", "repair or remove it, or set data.strict: false to skip it")
    if not found.readable.any():
        name, reason = skipped[0]
        raise UserError(
            config.path or config.source, f"none of its images can be read (e.g. {name} {reason})", "check the files"
        )
    return Survey(images, found, clusters.picture_numbers(found.digests, found.readable), skipped)


def prepare(config: Data, seed: int) -> Preparation:
    """Reads through a source and divides its images, as `splits` describes.

    Memory grows by less than 100 bytes an image; no pixels are kept.

    Args:
      config: the `data` section.
      seed: of splits and thinning.

    Raises:
      UserError: for everything that is wrong with the source or with what is asked of it.
    """
    return divide(survey(config), config, seed)


def _marked(source: Survey, config: Data, *, any_usable: bool) -> list[tuple[str, str]]:
    """(id, reason) of the images that a model made: no result may rest on them as if they were real.

    Raises:
      UserError: under `strict`, or if no image is left without them.
    """
    rows = np.flatnonzero(source.scan.readable & source.scan.marked)
    names = [source.image_set.identify(int(row)) for row in rows]
    if names and (config.strict or not any_usable):
        others = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        raise UserError(
            names[0],
            f"{marks.REASON}{others}, and a run learns from and is tested on real images only",
            "give real images here, and synthetic ones of your own by the generator folder",
        )
    if names:
        _LOG.warning("%d images left out, e.g. %s, which %s", len(names), names[0], marks.REASON)
    return [(name, marks.REASON) for name in names]


def divide(source: Survey, config: Data, seed: int) -> Preparation:
    """Divides the images of a source that has been read through; see `prepare`."""
    images, usable = source.image_set, source.scan.readable & ~source.scan.marked
    marked = _marked(source, config, any_usable=bool(usable.any()))
    split, withheld = split_images(
        Labelled(
            labels=images.labels,
            own=images.splits,
            clusters=clusters.join(source.pictures, images.groups),
            usable=usable,
            class_names=images.class_names,
        ),
        config.splits,
        config.profile,
        seed,
    )
    return Preparation(
        image_set=images,
        split=split,
        channels=config.channels or (3 if source.scan.coloured.any() else 1),
        skipped=(*source.skipped, *marked, *images.left_out),
        duplicates=source.duplicates,
        conflicting=source.conflicting,
        withheld=withheld,
    )
