"""Handwritten digits of scikit-learn: 1797 grey images of 8 x 8 pixels, embedded, no download."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Data, Section, parse_options
from evenhand.data.image_set import ImageSet


class Options(Section):
    """The digits have no options."""


@cache
def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Images uint8[1797, 8, 8] and labels int32[1797]; the originals count ink from 0 to 16."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.rint(digits.images * (255 / 16)).astype(np.uint8), digits.target.astype(np.int32)


def open_source(config: Data) -> ImageSet:
    """The digits; `data.path` and `data.options` are not used."""
    parse_options(Options, config.options, "data.options")
    images, labels = _digits()
    return ImageSet(
        class_names=tuple(str(digit) for digit in range(10)),
        labels=labels,
        splits=np.zeros(len(labels), np.uint8),
        identify=lambda index: f"digits/{index:04d}",
        read=lambda index: images[index],
    )


def fingerprint(config: Data) -> str:
    """Digest of the images and labels."""
    images, labels = _digits()
    return hashlib.blake2b(images.tobytes() + labels.tobytes(), digest_size=16).hexdigest()
