"""Draws pixels at random, whatever the class: nothing can be learned from its images."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from evenhand.config import Section
from evenhand.data.image_table import ImageTable
from evenhand.models.networks.seeded import latents_for_seeds
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from evenhand.models.training.update import Update

Tensor = Any


class Options(Section):
    """There are none."""


class Noise(ConditionalGenerator):
    """Normal noise around a medium grey, cut off at black and white."""

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, seed: int) -> None:
        super().__init__(image_shape=image_shape, num_classes=num_classes, seed=seed)
        self.set_updates(())

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> Any:
        """Never called, for there are no updates."""
        raise ValueError("noise is not trained")

    def sample(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """float32[n, h, w, c] in [-1, 1] of labels int32[n] and seeds int64[n]; classes have noise of their own."""
        height, width, channels = self.image_shape
        own_seeds = seeds * self.num_classes + tf.cast(labels, tf.int64)
        values = 0.5 * latents_for_seeds(own_seeds, height * width * channels)
        return tf.clip_by_value(tf.reshape(values, [-1, height, width, channels]), -1.0, 1.0)


def build(options: Options, images: ImageTable, *, seed: int) -> Noise:
    """Takes nothing of the training images but their shape and the number of classes."""
    return Noise(images.image_shape, len(images.class_names), seed)
