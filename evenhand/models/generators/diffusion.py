"""Diffusion: a network learns to remove noise from images of a class, and draws images by removing it from pure noise.

Papers: Karras et al., Elucidating the Design Space of Diffusion-Based Generative Models (EDM), 2022, and Liu et al.,
Flow Straight and Fast, 2022, the formulas in `models/diffusion`; Ho and Salimans, Classifier-Free Diffusion
Guidance, 2022; Qin et al., Class-Balancing Diffusion Models (CBDM), 2023.

Guidance: with label y dropped for a share of the training images, one by one, the network also learns images of any
class, u. Images are drawn with `u + w (c - u)`, c the network given y; w = 1 is plain, 0 is of any class. (Ho and
Salimans, and CBDM, count w - 1.)

CBDM: an image's prediction should hardly depend on its label where noise hides it all, which lends common classes'
images to rare ones. With y' from the law of the training labels, F = F(x, y) and F' = F(x, y'), the loss grows by

    tau r (|F - sg F'|^2 + |sg F - F'|^2 / 4)

for images whose label was not dropped. The paper multiplies by the time t where its code has t / T; we take the rank r
in (0, 1) of the noise level among those of training, which for the paper's uniform times is t / T. Its predictions are
of the noise; ours are what F gives, which in EDM equals the weighted difference of the denoised images.

The paper of EDM zeroes gradients that are not finite numbers, mirrors images and draws the noise level of each image
by itself. Here a loss that is no finite number ends the training, gradients are clipped instead, nothing is mirrored
unless `flips` says so, and the levels of a batch are spread evenly over their law (stratified), `size: paper` included.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from evenhand.data.image_table import ImageTable
from evenhand.models.diffusion.edm import EDM, Example
from evenhand.models.diffusion.flow import RectifiedFlow
from evenhand.models.diffusion.non_leaking_augmentation import augment
from evenhand.models.diffusion.schedules import WarmUp, average_decay
from evenhand.models.diffusion.solvers import heun, multistep
from evenhand.models.generators._diffusion_options import Options
from evenhand.models.networks import seeded
from evenhand.models.networks.unet import AUGMENTATION_SIZE, UNetSize, unet
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from evenhand.models.training.fused_adam import FusedAdam
from evenhand.models.training.update import Update

Tensor = Any

_fold = tf.random.experimental.stateless_fold_in
_RANKS, _NOISE, _DROPPED, _AUGMENT, _OTHER_LABELS = 1, 2, 3, 4, 5
_LEAST_RANK = 1e-6


class Diffusion(ConditionalGenerator):
    """The diffusion model that `options` describe; see the module."""

    def __init__(self, options: Options, *, images: ImageTable, seed: int) -> None:
        super().__init__(image_shape=images.image_shape, num_classes=len(images.class_names), seed=seed)
        self.options = options
        self.process = EDM(options.data_deviation) if options.objective == "edm" else RectifiedFlow()
        self.network, self.average = (_network(options, images, seed) for _ in range(2))
        self.average.trainable = False
        self.label_law = (images.class_counts / len(images)).astype(np.float32)
        self.set_updates((Update("denoiser", (self.network,), _adam(options)),))

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Mean squared error of what the network gives, and CBDM's terms."""
        options, number = self.options, ops.shape(batch.labels)[0]
        images, *changes = self._augmented(batch.images, seed)
        ranks = _spread_ranks(number, _fold(seed, _RANKS))
        noise = tf.random.stateless_normal(tf.shape(images), _fold(seed, _NOISE), alg="philox")
        example = self.process.example(images, noise, self.process.levels(ranks))
        chances = tf.random.stateless_uniform([number], _fold(seed, _DROPPED), alg="philox")
        keep = ops.cast(chances >= options.label_dropout, "float32")
        classes = ops.one_hot(batch.labels, self.num_classes) * keep[:, None]
        raw = self._predicted(example, classes, changes)
        loss = ops.mean(ops.square(raw - example.targets))
        if options.class_balancing:
            other = self._predicted(example, self._other_classes(number, seed), changes)
            loss += options.class_balancing * class_balancing_loss(raw, other, ranks * keep)
        return loss, {}

    def train_step(self, data: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """A step of the network, after which the average follows it."""
        logs = super().train_step(data)
        now = ops.shape(data[0])[0] * tf.distribute.get_strategy().num_replicas_in_sync
        seen = (ops.cast(self.step, "int32") - 1) * now
        pace = 1.0 - average_decay(now, seen, self.options.half_life_images, self.options.ramp_up)
        for average, weight in zip(self.average.weights, self.network.weights, strict=True):
            average.assign_add(pace * (weight - average))
        return logs

    def sample(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """Draws images, float32[n, h, w, c] in [-1, 1], of labels int32[n] and seeds int64[n]."""
        classes = ops.one_hot(ops.cast(labels, "int32"), self.num_classes)
        latents = seeded.latents_for_seeds(seeds, int(np.prod(self.image_shape)))
        noise = ops.reshape(latents, (-1, *self.image_shape))
        draw = self.process.course if self.options.sampler == "heun" else self.process.straight_course
        course = draw(lambda inputs, condition: self._drawn(inputs, condition, classes), self.options.sampling_steps)
        solve = heun if self.options.sampler == "heun" else multistep
        return ops.clip(solve(course.slope, course.scale * noise, course.times), -1.0, 1.0)

    def _augmented(self, images: Tensor, seed: Tensor) -> tuple[Tensor, ...]:
        options = self.options
        if not options.augmentation:
            return (images,)
        return augment(images, options.augmentation, _fold(seed, _AUGMENT), has_flips=options.flips)

    def _predicted(self, example: Example, classes: Tensor, changes: list[Tensor]) -> Tensor:
        return self.network([example.inputs, example.conditions, classes, *changes], training=True)

    def _other_classes(self, number: Tensor, seed: Tensor) -> Tensor:
        logits = ops.log(ops.maximum(self.label_law, np.finfo(np.float32).tiny))[None]
        seed = _fold(seed, _OTHER_LABELS)
        labels = tf.random.stateless_categorical(logits, number, seed, dtype=tf.int32)[0]
        return ops.one_hot(labels, self.num_classes)

    def _drawn(self, inputs: Tensor, condition: Tensor, classes: Tensor) -> Tensor:
        guidance = self.options.guidance
        if guidance == 1.0:
            return self._averaged(inputs, condition, classes)
        if guidance == 0.0:
            return self._averaged(inputs, condition, ops.zeros_like(classes))
        both = ops.concatenate([classes, ops.zeros_like(classes)])
        conditional, unconditional = ops.split(self._averaged(ops.tile(inputs, (2, 1, 1, 1)), condition, both), 2)
        return guided(conditional, unconditional, guidance)

    def _averaged(self, inputs: Tensor, condition: Tensor, classes: Tensor) -> Tensor:
        number = ops.shape(inputs)[0]
        given = [inputs, ops.broadcast_to(condition, (number,)), classes]
        if self.options.augmentation:
            given.append(ops.zeros((number, AUGMENTATION_SIZE)))
        return self.average(given, training=False)


def class_balancing_loss(raw: Tensor, other: Tensor, ranks: Tensor) -> Tensor:
    """CBDM's regulariser without its weight tau.

    Args:
      raw: float32[n, h, w, c], what the network gives with the image's own label.
      other: float32[n, h, w, c], with another.
      ranks: float32[n], of the noise levels, in (0, 1); 0 for images without a label.

    Returns:
      float32 scalar, the mean of r (|raw - sg other|^2 + |sg raw - other|^2 / 4).
    """
    one = ops.square(raw - ops.stop_gradient(other))
    two = ops.square(ops.stop_gradient(raw) - other)
    return ops.mean(ranks[:, None, None, None] * (one + two / 4.0))


def guided(conditional: Tensor, unconditional: Tensor, guidance: float) -> Tensor:
    """Classifier-free guidance: u + w (c - u)."""
    return unconditional + guidance * (conditional - unconditional)


def build(options: Options, images: ImageTable, *, seed: int) -> Diffusion:
    """The untrained model.

    Args:
      options: of this generator.
      images: the training images, for their shape, classes and counts.
      seed: of initial weights, noise, augmentation and dropout.
    """
    return Diffusion(options, images=images, seed=seed)


def _spread_ranks(number: Tensor, seed: Tensor) -> Tensor:
    """Uniform in (0, 1), float32[number], one from each of so many equal parts: losses of batches vary less."""
    places = tf.random.stateless_uniform([number], seed, alg="philox")
    ranks = (ops.arange(number, dtype="float32") + places) / ops.cast(number, "float32")
    return ops.clip(ranks, _LEAST_RANK, 1.0 - _LEAST_RANK)


def _adam(options: Options) -> keras.optimizers.Optimizer:
    rate = WarmUp(options.learning_rate, options.warm_up_steps)
    return FusedAdam(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8, global_clipnorm=options.clip_norm)


def _network(options: Options, images: ImageTable, seed: int) -> keras.Model:
    seeds, is_augmented = seeded.layer_seeds(seed), options.augmentation > 0.0
    return unet(images.image_shape, len(images.class_names), _size(options), seeds, is_augmented=is_augmented)


def _size(options: Options) -> UNetSize:
    return UNetSize(
        width=options.width,
        multipliers=options.multipliers,
        blocks=options.blocks,
        patch=options.patch,
        attention_side=options.attention_side,
        dropout=options.dropout,
        has_resampling_blocks=options.resampling_blocks,
        is_modulating=options.modulation,
    )
