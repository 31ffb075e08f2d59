"""Labelled images that are read on demand, whatever they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPLITS = ("none", "train", "validation", "test")
"""Names of the values in `ImageSet.splits`."""


@dataclass(frozen=True)
class ImageSet:
    """Images of one source; holds labels, never pixels.

    Attributes:
      class_names: names of the classes; a label is an index into them.
      labels: int32[n].
      splits: uint8[n], the source's own split of each image as an index into `SPLITS`.
      identify: index -> the image's id for life, e.g. `folder/rare_sign/IMG_0042.JPG`.
      read: index -> the encoded file (bytes) or its pixels, uint8[h, w] or uint8[h, w, 1 | 3 | 4].
      groups: int32[n], the person or patient of each image; None without groups.
      synthetic: bool[n], the images that the source itself knows to be synthetic; None where it knows of none.
      unreadable: (id, reason) of entries that the source itself had to leave out.
      left_out: (name, reason) of classes that have too few images to take part.
    """

    class_names: tuple[str, ...]
    labels: NDArray[np.int32]
    splits: NDArray[np.uint8]
    identify: Callable[[int], str]
    read: Callable[[int], bytes | NDArray[np.uint8]]
    groups: NDArray[np.int32] | None = None
    synthetic: NDArray[np.bool_] | None = None
    unreadable: Sequence[tuple[str, str]] = ()
    left_out: Sequence[tuple[str, str]] = ()

    def __len__(self) -> int:
        return len(self.labels)
