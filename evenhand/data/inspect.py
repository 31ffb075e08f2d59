"""What a source holds, for `evenhand inspect`: counts, imbalance, duplicates, what is left out, image sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Data
from evenhand.data.image_set import SPLITS
from evenhand.data.prepare import Survey, divide, survey
from evenhand.errors import UserError


@dataclass(frozen=True)
class Range:
    """Smallest, median and largest value."""

    low: int
    median: float
    high: int

    @classmethod
    def of(cls, values: NDArray[np.integer]) -> Range:
        """The range of at least one value."""
        return cls(int(values.min()), float(np.median(values)), int(values.max()))


@dataclass(frozen=True)
class Inspection:
    """A source, read through once.

    Attributes:
      source: its name, and its path where it has one.
      class_names: names of the classes that take part.
      counts: readable images of each class, without those that are marked as synthetic.
      own_splits: the same by the source's own splits; empty where it has none.
      splits: images of each class by split, as a run with this config and seed would divide them; empty where it
        could not.
      problem: why it could not; None where it could.
      duplicates: images that repeat an earlier picture pixel by pixel.
      conflicting: images whose picture also stands under another label.
      withheld: images that a run would leave out because their copy, person or patient stands in the source's own
        test or validation split.
      groups: persons or patients; None where they are not told apart.
      skipped: (id, reason) of what cannot be read or is marked as synthetic, and (name, reason) of classes with too few
        images.
      heights: of the readable images, in pixels.
      widths: of the readable images, in pixels.
      channels: 1 where every image is grey, else 3.
    """

    source: str
    class_names: tuple[str, ...]
    counts: tuple[int, ...]
    own_splits: dict[str, tuple[int, ...]]
    splits: dict[str, tuple[int, ...]]
    problem: str | None
    duplicates: int
    conflicting: int
    withheld: int
    groups: int | None
    skipped: tuple[tuple[str, str], ...]
    heights: Range
    widths: Range
    channels: int

    @property
    def num_images(self) -> int:
        """Readable images."""
        return sum(self.counts)

    @property
    def imbalance_ratio(self) -> float:
        """Images of the largest class for each image of the smallest; infinite where a class has none."""
        smallest = min(self.counts)
        return max(self.counts) / smallest if smallest else float("inf")


def inspect(config: Data, seed: int) -> Inspection:
    """Reads through a source and tells what is in it.

    Args:
      config: the `data` section.
      seed: of the splits that a run would make.

    Raises:
      UserError: if the source cannot be opened, or, under `strict`, holds anything unreadable.
    """
    found = survey(config)
    scan, images = found.scan, found.image_set
    preparation, problem = None, None
    usable = scan.readable & ~scan.marked
    try:
        preparation = divide(found, config, seed)
    except UserError as error:
        problem = str(error)
    return Inspection(
        source=config.source if config.path is None else f"{config.source}: {config.path}",
        class_names=images.class_names,
        counts=_counts(found, usable),
        own_splits={
            name: _counts(found, usable & (images.splits == number))
            for number, name in enumerate(SPLITS)
            if number and (images.splits == number).any()
        },
        splits={} if preparation is None else {split: tuple(n.tolist()) for split, n in preparation.counts.items()},
        problem=problem,
        duplicates=found.duplicates,
        conflicting=found.conflicting,
        withheld=0 if preparation is None else preparation.withheld,
        groups=None if images.groups is None else len(np.unique(images.groups)),
        skipped=(*found.skipped, *images.left_out) if preparation is None else preparation.skipped,
        heights=Range.of(scan.heights[scan.readable]),
        widths=Range.of(scan.widths[scan.readable]),
        channels=3 if scan.coloured.any() else 1,
    )


def _counts(found: Survey, chosen: NDArray[np.bool_]) -> tuple[int, ...]:
    labels = found.image_set.labels[chosen]
    return tuple(np.bincount(labels, minlength=len(found.image_set.class_names)).tolist())
