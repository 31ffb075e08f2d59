"""The images of a source that can be read, decoded a chunk at a time: for work that needs no splits and no records."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenhand import registry
from evenhand.config import Data
from evenhand.data import flat_folder
from evenhand.data.decode import to_pixels
from evenhand.data.image_set import ImageSet
from evenhand.data.image_table import ImageTable
from evenhand.data.scan import Scan, scan
from evenhand.errors import UserError

_CHUNK = 256


@dataclass(frozen=True)
class ReadableImages:
    """Images of a source, of all its own splits.

    Attributes:
      name: what the user calls the source.
      image_set: all of its images.
      scan: what reading them once found.
    """

    name: str
    image_set: ImageSet
    scan: Scan

    def __len__(self) -> int:
        return int(self.scan.readable.sum())

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; a label is an index into them."""
        return self.image_set.class_names

    @property
    def labels(self) -> NDArray[np.int32]:
        """int32[n], of the readable images in order."""
        return self.image_set.labels[self.scan.readable]

    @property
    def pictures(self) -> list[bytes]:
        """A digest of each readable image's pixels at its own size, equal for equal pictures."""
        found: list[bytes] = self.scan.digests[self.scan.readable].tolist()
        return found

    @property
    def num_skipped(self) -> int:
        """Images that cannot be read."""
        return len(self.scan.skipped) + len(self.image_set.unreadable)

    @property
    def num_marked(self) -> int:
        """Readable images that say of themselves, or of which their source says, that a model made them."""
        return int((self.scan.readable & self.scan.marked).sum())

    @property
    def channels(self) -> int:
        """1 where every image is grey, else 3."""
        return 3 if self.scan.coloured.any() else 1

    @property
    def typical_size(self) -> int:
        """px; the median of the images' longer sides."""
        longer = np.maximum(self.scan.heights, self.scan.widths)[self.scan.readable]
        return int(np.median(longer))

    def chunks(self, image_shape: tuple[int, int, int]) -> Iterator[NDArray[np.uint8]]:
        """All images in order, uint8[b, h, w, c] with b of at most 256, decoded on all cores.

        Args:
          image_shape: height, width (equal) and channels that every image is brought to by `decode.to_pixels`.
        """
        height, width, channels = image_shape
        if height != width:
            raise ValueError(f"images are square, not {height} x {width}")
        rows = np.flatnonzero(self.scan.readable)
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
            for start in range(0, len(rows), _CHUNK):
                images = threads.map(
                    lambda row: to_pixels(self.image_set.read(int(row)), height, channels), rows[start : start + _CHUNK]
                )
                yield np.stack(list(images))

    def table(self, image_shape: tuple[int, int, int]) -> ImageTable:
        """The same in an `ImageTable`, mapped from a temporary file that is gone when the table is."""
        with tempfile.TemporaryDirectory(prefix="evenhand-") as folder:
            # The mapping outlives the name of the file.
            path = Path(folder, "images.npy")
            images = np.lib.format.open_memmap(path, "w+", np.uint8, (len(self), *image_shape))
            start = 0
            for chunk in self.chunks(image_shape):
                images[start : start + len(chunk)] = chunk
                start += len(chunk)
            images.flush()
            mapped = np.load(path, mmap_mode="r")
        return ImageTable(mapped, self.labels, np.arange(len(self)).astype(np.str_), self.class_names)


def open_readable(config: Data, name: str) -> ReadableImages:
    """Opens a source and reads it through once; all classes take part, however small.

    Args:
      config: the `data` section; `classes`, `profile` and `splits` in it play no part. A folder that holds images and
        no class folders is one class.
      name: what the user calls the source.

    Raises:
      UserError: if the source cannot be read, or holds nothing readable.
    """
    if config.source == "folder" and config.path is not None and flat_folder.is_flat(Path(config.path)):
        image_set = flat_folder.open_flat(Path(config.path))
    else:
        image_set = registry.load("data.sources", config.source).open_source(config)
    found = ReadableImages(name, image_set, scan(image_set))
    if not len(found):
        first = next(iter((*found.scan.skipped, *image_set.unreadable)), None)
        example = "" if first is None else f" (e.g. {first[0]} {first[1]})"
        raise UserError(name, f"none of its images can be read{example}", "check the files")
    return found
