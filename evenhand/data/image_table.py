"""Decoded images of one size, for training: memory-mapped, so that any batch can be gathered at any time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageTable:
    """Images and labels by row.

    Attributes:
      images: uint8[n, h, w, c], usually a read-only `np.memmap`.
      labels: int32[n].
      ids: str[n], the images' ids.
      class_names: names of the classes; a label is an index into them.
      keypoints: float32[n, k, 3], x and y as shares of width and height and the confidence of each key point, all 0
        where none were found; None where none were looked for.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    ids: NDArray[np.str_]
    class_names: tuple[str, ...]
    keypoints: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        _, height, width, channels = self.images.shape
        return height, width, channels

    @property
    def class_counts(self) -> NDArray[np.int64]:
        """int64[c], images of each class."""
        return np.bincount(self.labels, minlength=len(self.class_names))

    def rows(self, chosen: slice | NDArray[np.integer]) -> ImageTable:
        """Only these rows, in this order; a slice shares its pixels with this table, rows by number are copied."""
        keypoints = None if self.keypoints is None else self.keypoints[chosen]
        return ImageTable(self.images[chosen], self.labels[chosen], self.ids[chosen], self.class_names, keypoints)
