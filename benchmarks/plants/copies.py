"""Draws training images again, moved by at most a pixel and under faint noise, as an overfitted generator would."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from pydantic import Field

from evenhand.config import Section
from evenhand.data.image_table import ImageTable
from evenhand.models.networks.seeded import latents_for_seeds
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from evenhand.models.training.update import Update

Tensor = Any


class Options(Section):
    """Options of the copies.

    Attributes:
      noise: standard deviation of the noise in grey levels.
    """

    noise: float = Field(4.0, ge=0.0)


class Copies(ConditionalGenerator):
    """Training images by turns, each time moved to the left, not at all, or to the right.

    Args:
      images: the training images.
      noise: standard deviation in grey levels.
      seed: of nothing but what the base class draws.
    """

    def __init__(self, images: ImageTable, noise: float, *, seed: int) -> None:
        super().__init__(image_shape=images.image_shape, num_classes=len(images.class_names), seed=seed)
        order = np.argsort(images.labels, kind="stable")
        self._counts = images.class_counts
        self._starts = np.cumsum(self._counts) - self._counts
        self._noise = noise / 127.5
        self.pixels = self.add_weight(
            name="pixels",
            shape=images.images.shape,
            dtype="uint8",
            initializer="zeros",
            trainable=False,
            autocast=False,
        )
        self.pixels.assign(np.asarray(images.images[order]))
        self.set_updates(())

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> Any:
        """Never called, for there are no updates."""
        raise ValueError("copies are not trained")

    def sample(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """float32[n, h, w, c] in [-1, 1] of labels int32[n] and seeds int64[n]."""
        height, width, channels = self.image_shape
        counts = tf.gather(tf.constant(self._counts, tf.int64), labels)
        rows = tf.gather(tf.constant(self._starts, tf.int64), labels) + seeds % counts
        originals = tf.cast(tf.gather(self.pixels.value, rows), tf.float32) / 127.5 - 1.0
        wide = tf.pad(originals, [[0, 0], [0, 0], [1, 1], [0, 0]], mode="SYMMETRIC")
        moved = tf.stack([wide[:, :, start : start + width] for start in range(3)], axis=1)
        images = tf.gather(moved, (seeds // counts) % 3, batch_dims=1)
        noise = self._noise * latents_for_seeds(seeds, height * width * channels)
        return tf.clip_by_value(images + tf.reshape(noise, [-1, height, width, channels]), -1.0, 1.0)


def build(options: Options, images: ImageTable, *, seed: int) -> Copies:
    """Keeps the training images."""
    return Copies(images, options.noise, seed=seed)
