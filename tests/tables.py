"""Small image tables for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evenhand.data.image_table import ImageTable


def noise(image_shape: tuple[int, int, int], counts: Sequence[int], *, seed: int = 0) -> ImageTable:
    """Images of pure noise, `counts[c]` of class c, in the order of the classes, named a, b, c, ..."""
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), *image_shape)).astype(np.uint8)
    names = tuple(chr(ord("a") + label) for label in range(len(counts)))
    return ImageTable(images, labels, np.arange(len(labels)).astype(str), names)
