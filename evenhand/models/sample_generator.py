"""Draws images from a trained generator, the same bytes however the work is divided."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import UserError

_LOG = logging.getLogger(__name__)

BLOCK = 64
"""Seeds that are drawn together: block b holds the seeds 64 b to 64 b + 63, whoever asks for whichever of them."""


class DrawsImages(Protocol):
    """What `generator_artifact.load_sampler` and `GeneratorRun.sampler` give."""

    def __call__(self, labels: NDArray[np.int32], seeds: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """Images, uint8[n, h, w, c], of labels int32[n] and seeds int64[n]."""


def sample_generator(sampler: DrawsImages, *, label: int, count: int, first_seed: int = 0) -> NDArray[np.uint8]:
    """Draws `count` images of one class, those of the seeds `first_seed` onwards.

    The generator always sees whole blocks of 64 seeds of one class, because the last bits of a matrix product depend
    on its shape: so the image of a class and a seed is the same however many are asked for, and from wherever.

    Args:
      sampler: from `load_sampler`.
      label: index of the class.
      count: images; 0 gives none.
      first_seed: not negative.

    Returns:
      uint8[count, h, w, c].

    Raises:
      ValueError: if `count` or `first_seed` is negative.

    Example:
      images = evenhand.sample_generator(load_sampler(folder), label=3, count=100)
    """
    if count < 0 or first_seed < 0:
        raise ValueError(f"count and first_seed may not be negative, not {count} and {first_seed}")
    labels = np.full(BLOCK, label, np.int32)
    first_block, end_block = first_seed // BLOCK, -(-(first_seed + count) // BLOCK)
    blocks = [
        sampler(labels, np.arange(block * BLOCK, (block + 1) * BLOCK, dtype=np.int64))
        for block in range(first_block, max(end_block, first_block + 1))
    ]
    start = first_seed - first_block * BLOCK
    return np.concatenate(blocks)[start : start + count]


def draw_each(sampler: DrawsImages, labels: NDArray[np.int32], seeds: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Draws one image for each pair of a class and a seed, in blocks that hold several classes.

    For looking at many classes at once: such an image may differ from `sample_generator`'s in the last bits.

    Args:
      sampler: from `load_sampler`.
      labels: int32[n], at least one.
      seeds: int64[n].

    Returns:
      uint8[n, h, w, c].
    """
    count, number = len(labels), -(-len(labels) // BLOCK)
    labels, seeds = np.resize(labels, number * BLOCK), np.resize(seeds, number * BLOCK)
    blocks = zip(np.split(labels, number), np.split(seeds, number), strict=True)
    return np.concatenate([sampler(*block) for block in blocks])[:count]


def plan(per_class: int | Literal["balance"], train_counts: Sequence[int]) -> list[int]:
    """How many synthetic images of each class to draw.

    Args:
      per_class: the same number for every class (S1), or `balance`: what each class lacks to the largest (S3).
      train_counts: real training images of each class.

    Returns:
      A count for each class; never more than asked.

    Raises:
      UserError: if every class has as many images as the largest, so that there is nothing to balance.
    """
    if per_class == "balance":
        largest = max(train_counts)
        counts = [int(largest - count) for count in train_counts]
        if not any(counts):
            raise UserError(
                "synthetic.per_class", "every class has as many images as the largest: nothing to draw", "give a number"
            )
        return counts
    return [per_class for _ in train_counts]


def oversampled(counts: Sequence[int], factor: float) -> list[int]:
    """A plan of `factor` times as many images, rounded up, for filters to choose from."""
    return [math.ceil(count * factor) for count in counts]


def capped(counts: Sequence[int], available: Sequence[int] | None, class_names: Sequence[str]) -> list[int]:
    """A plan that asks for no more images than there are; the log names the classes that fall short.

    Args:
      counts: images of each class that are wanted.
      available: images of each class that there are; None for any number.
      class_names: names of the classes.

    Raises:
      UserError: if there is no image at all of the classes that are to get some.
    """
    if available is None:
        return list(counts)
    given = [min(count, most) for count, most in zip(counts, available, strict=True)]
    if not any(given):
        raise UserError(
            "generator", "has no image of any class that is to get synthetic ones", "add images or set another number"
        )
    short = [
        f"{name} ({most} of {count})"
        for name, count, most in zip(class_names, counts, available, strict=True)
        if most < count
    ]
    if short:
        _LOG.warning("the generator has fewer images than are asked for of %s", ", ".join(short))
    return given
