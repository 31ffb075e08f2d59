"""Synthetic images of the user's own, read from a folder with one folder of images per class; nothing is trained.

Any generator may have drawn them. They are resized as real images are and kept in the model, so that it can be saved,
moved and drawn from like every other. An image is drawn once: image `seed` of a class is its file number `seed` in the
order of names, and no plan asks for more than there are (see `ConditionalGenerator.available`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import Field, field_validator

from evenhand import progress
from evenhand.config import Data, Section
from evenhand.data.decode import UnreadableImage, to_pixels
from evenhand.data.image_set import ImageSet
from evenhand.data.image_table import ImageTable
from evenhand.data.sources import folder as folder_source
from evenhand.errors import UserError
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from evenhand.models.training.update import Update

Tensor = Any

_WHERE = "generator.options.path"
_LOG = logging.getLogger(__name__)


class Options(Section):
    """Options of `folder`.

    Attributes:
      path: a folder with one folder of images for each class, named as the classes of the real images are. A class
        without a folder gets no synthetic images; folders with other names, and files that are no images or cannot be
        read, are left out and counted in the log. `~` is the home folder.
    """

    path: str = Field(min_length=1)

    @field_validator("path")
    @classmethod
    def _at_home(cls, value: str) -> str:
        return os.path.expanduser(value)


class GivenImages(ConditionalGenerator):
    """Images that are there already.

    Args:
      pixels: uint8[n, h, w, c], class by class.
      counts: int64[k], images of each class; may be 0.
      seed: of nothing, since nothing is random.
    """

    def __init__(self, pixels: NDArray[np.uint8], counts: NDArray[np.int64], *, seed: int) -> None:
        super().__init__(image_shape=pixels.shape[1:], num_classes=len(counts), seed=seed)
        self._counts, self._starts = counts, np.cumsum(counts) - counts
        self.pixels = self.add_weight(
            name="pixels", shape=pixels.shape, dtype="uint8", initializer="zeros", trainable=False, autocast=False
        )
        self.pixels.assign(pixels)
        self.set_updates(())

    @property
    def available(self) -> tuple[int, ...]:
        """Images of each class."""
        return tuple(int(count) for count in self._counts)

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> Any:
        """Never called, for there are no updates."""
        raise ValueError("given images are not trained")

    def sample(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """The images with these numbers, float32[n, h, w, c] in [-1, 1], of labels int32[n] and seeds int64[n].

        Numbers beyond the last one count from the first again; a class without images gives black ones.
        """
        counts = tf.gather(tf.constant(self._counts, tf.int64), labels)
        rows = tf.gather(tf.constant(self._starts, tf.int64), labels) + seeds % tf.maximum(counts, 1)
        pixels = tf.gather(self.pixels.value, tf.minimum(rows, self.pixels.shape[0] - 1))
        images = tf.cast(pixels, tf.float32) / 127.5 - 1.0
        return tf.where((counts > 0)[:, None, None, None], images, -1.0)


def build(options: Options, images: ImageTable, *, seed: int) -> GivenImages:
    """Reads the folder.

    Args:
      options: of this generator.
      images: the training images, for their shape and classes.
      seed: of nothing.

    Raises:
      UserError: if the folder is none, or holds no readable image of any of the classes.
    """
    with _told_of_the_option(options):
        source = folder_source.open_source(Data(source="folder", path=options.path))
    rows, labels = _of_the_classes(source, images.class_names)
    height, _, channels = images.image_shape
    pixels, problems = _read(source, rows, height, channels)
    is_read = np.ones(len(rows), bool)
    is_read[[position for position, _ in problems]] = False
    unreadable = [*source.unreadable, *((source.identify(int(rows[position])), why) for position, why in problems)]
    if unreadable:
        name, why = unreadable[0]
        _LOG.warning("%s: %d files left out, e.g. %s, which %s", options.path, len(unreadable), name, why)
    counts = np.bincount(labels[is_read], minlength=len(images.class_names))
    if not counts.any():
        known = ", ".join(images.class_names)
        raise UserError(
            _WHERE,
            f"{options.path!r} holds no readable image of any class",
            f"name its folders as the classes: {known}",
        )
    absent = [name for name, count in zip(images.class_names, counts, strict=True) if not count]
    if absent:
        _LOG.warning("%s: holds no images of %s", options.path, ", ".join(absent))
    return GivenImages(pixels[is_read], counts, seed=seed)


def fingerprint(options: Options) -> str:
    """Digest over the folder's file names and contents: other images are another generator.

    Raises:
      UserError: if the folder is none, or holds no images in folders of classes.
    """
    with _told_of_the_option(options):
        return folder_source.fingerprint(Data(source="folder", path=options.path))


@contextmanager
def _told_of_the_option(options: Options) -> Iterator[None]:
    """Errors of the source `folder` name the generator's option: `data.path` is right."""
    if not os.path.isdir(options.path):
        raise UserError(_WHERE, f"{options.path!r} is no folder", "give a folder with one folder of images per class")
    try:
        yield
    except UserError as error:
        raise UserError(_WHERE, f"{error.where!r} {error.problem}", error.remedy) from error


def _of_the_classes(source: ImageSet, class_names: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Rows of the source that belong to these classes, class by class, and their labels."""
    numbers = {name: label for label, name in enumerate(class_names)}
    strangers = [name for name in source.class_names if name not in numbers]
    if strangers:
        _LOG.warning("no class is called %s: the synthetic images of these folders are left out", ", ".join(strangers))
    relabel = np.asarray([numbers.get(name, -1) for name in source.class_names], np.int32)
    labels = relabel[source.labels]
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] >= 0]
    return order, labels[order]


def _read(
    source: ImageSet, rows: NDArray[np.int64], image_size: int, channels: int
) -> tuple[NDArray[np.uint8], list[tuple[int, str]]]:
    """uint8[n, h, w, c] of these rows, and (position, reason) of those that cannot be read, which stay black."""
    pixels = np.zeros((len(rows), image_size, image_size, channels), np.uint8)

    def fill(position: int) -> str | None:
        try:
            pixels[position] = to_pixels(source.read(int(rows[position])), image_size, channels)
        except UnreadableImage as error:
            return str(error)
        except OSError as error:
            return f"cannot be read ({error.strerror or error})"
        return None

    problems = []
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        for position, problem in enumerate(threads.map(fill, range(len(rows)))):
            if problem is not None:
                problems.append((position, problem))
            progress.advance("read synthetic images", position + 1, len(rows), "image")
    return pixels, problems
