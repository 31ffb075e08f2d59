"""ReACGAN: BigGAN's residual networks, and a discriminator that classifies by comparing images with each other.

The generator of "Bringing Balance to Hand Shape Classification: Mitigating Data Imbalance Through Generative Models"
(S1), which trains it on all images, draws 1000 of each class, pre-trains the classifier on them and fine-tunes it on
real ones. The method is that of Kang, Shim, Cho and Park, Rebooting ACGAN, 2021 (arXiv 2111.01118), with its code
(POSTECH-CVLab/PyTorch-StudioGAN).

The discriminator gives an image x a logit D(x) and an embedding f(x). With y the class, proxies v of the classes and
D2D the data-to-data cross-entropy (equation 8; `losses.d2d_cross_entropy`) of the embeddings in a batch,

    discriminator: E[relu(1 - D(x))] + E[relu(1 + D(G(z, y)))] + weight * D2D(f(x), y)
    generator:    -E[D(G(z, y))] + weight * D2D(f(G(z, y)), y)

Both networks, and the proxies, are spectrally normalised; embeddings and proxies have length 1. D2D needs images of
other classes in the batch, and better several of the same: at least about four times as many images as classes.

Where paper and code differ, or are open: the code's D2D subtracts a constant from some of its exponents only
(`d2d_variant: studiogan`); ours is the equation. The code draws the classes of synthetic images uniformly while real
ones come as they are, which on a long tail teaches the discriminator that a rare class is a synthetic one; here
synthetic images have the labels of the real batch. The code mirrors images at random, which some classes do not
survive; ours does not unless `augmentation` holds `flip`. It copies the generator into its average up to a certain step
and then averages at once at full decay; ours reaches that decay gradually (`WeightAverage`).

With `size: paper`, whatever is not given is that of the code's configuration for the resolution (`PAPER`), and the
number of parameters is that of its logs. It also takes batches of 128, 1024 and 256 images and 100 000, 100 000 and
40 000 steps at 32, 64 and 128 pixels (`generator.batch_size`, `generator.steps`), and no augmentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import tensorflow as tf
from keras import ops
from pydantic import Field

from evenhand.config import Section
from evenhand.data.image_table import ImageTable
from evenhand.models.generators._reacgan_options import PAPER, SMALL
from evenhand.models.losses import (
    ACCURACY_METRICS,
    d2d_cross_entropy,
    discriminator_accuracy,
    hinge_discriminator,
    hinge_generator,
)
from evenhand.models.networks import seeded
from evenhand.models.networks.reacgan import (
    Size,
    blocks_for,
    discriminator_network,
    generator_network,
    table_size,
)
from evenhand.models.networks.spectral_norm import class_proxies
from evenhand.models.training.adaptive_augmentation import AdaptiveAugmentation
from evenhand.models.training.average import WeightAverage
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from evenhand.models.training.differentiable_augmentation import Policy, augment
from evenhand.models.training.fused_adam import FusedAdam
from evenhand.models.training.lecam import LeCam
from evenhand.models.training.update import Update

Tensor = Any

DISCRIMINATOR, GENERATOR = "discriminator", "generator"
JUDGES_IMAGES = True

_fold = tf.random.experimental.stateless_fold_in
_AUGMENTATION, _GENERATOR_TURN = 1, 2
_EPSILON = 1e-6


class Options(Section):
    """Options of `reacgan`; None takes what `size` has for the images' resolution.

    Attributes:
      size: `paper`, the tables of its code, by the smallest of 28, 32, 64 and 128 pixels that the images fit in (28 is
        ours); or `small`, networks of a CPU, half as wide with each doubling of the map.
      width: the unit of width: channels of the generator's last map in `small` and from 64 pixels on, a quarter of
        them below in `paper`.
      chunk_size: numbers of the latent that each block of the generator reads, and its first map.
      class_size: numbers in the generator's class embedding.
      class_scale: the length that a class embedding starts with, as long as there are no more classes than numbers in
        it; beside sqrt(chunk_size), the length of a chunk, it says how much the class counts at first.
      embedding_size: numbers in an embedding of the discriminator, and in a proxy.
      generator_learning_rate: Adam's.
      discriminator_learning_rate: Adam's.
      beta_1: Adam's, both networks.
      discriminator_steps: turns of the discriminator in a step, each with real images of its own.
      classification_weight: weight of D2D beside the hinge loss.
      positive_margin: cosine of an embedding and its proxy from which on it is not pulled any more; 1 minus it is the
        cosine of two embeddings of different classes under which they are not pushed any more.
      temperature: of D2D; lower, the hardest pairs count more.
      d2d_variant: the equation of the paper, or what its code computes.
      average_decay: decay of the running average of the generator that images are drawn from.
      average_start: the step up to which the average is a copy.
      augmentation: what is done to all images before the discriminator sees them (see `differentiable_augmentation`).
      adaptive_target: share of real images that the discriminator should tell right, less that of those it tells wrong:
        adaptive augmentation, after `augmentation`, holds it there (0.7 in the code); None for none.
      adaptive_images: real images in which the probability of adaptive augmentation can rise from 0 to 1.
      lecam_weight: weight of LeCam's regularisation; 0 for none (0.3 for BigGAN on CIFAR).
      lecam_start: the first step with it.
    """

    size: Size = "small"
    width: int | None = Field(None, ge=1)
    chunk_size: int = Field(20, ge=1)
    class_size: int | None = Field(None, ge=1)
    class_scale: float | None = Field(None, gt=0.0)
    embedding_size: int | None = Field(None, ge=2)
    generator_learning_rate: float | None = Field(None, gt=0.0)
    discriminator_learning_rate: float | None = Field(None, gt=0.0)
    beta_1: float | None = Field(None, ge=0.0, lt=1.0)
    discriminator_steps: int | None = Field(None, ge=1)
    classification_weight: float | None = Field(None, ge=0.0)
    positive_margin: float | None = Field(None, gt=0.0, le=1.0)
    temperature: float | None = Field(None, gt=0.0)
    d2d_variant: Literal["paper", "studiogan"] = "paper"
    average_decay: float | None = Field(None, ge=0.0, lt=1.0)
    average_start: int | None = Field(None, ge=0)
    augmentation: Policy | None = None
    adaptive_target: float | None = Field(None, gt=-1.0, lt=1.0)
    adaptive_images: int = Field(500_000, ge=1)
    lecam_weight: float = Field(0.0, ge=0.0)
    lecam_start: int = Field(1000, ge=0)


def resolve(options: Options, image_shape: tuple[int, int, int]) -> Any:
    """The options with those that are None taken from the tables.

    Args:
      options: as given.
      image_shape: height, width, channels.

    Returns:
      `Options` of which only `adaptive_target` may be None.
    """
    table = SMALL if options.size == "small" else PAPER[table_size(image_shape)]
    return options.model_copy(update={name: value for name, value in table.items() if getattr(options, name) is None})


class ReACGAN(ConditionalGenerator):
    """The generator that `options` describe; see the module."""

    def __init__(self, options: Options, *, image_shape: tuple[int, int, int], num_classes: int, seed: int) -> None:
        super().__init__(image_shape=image_shape, num_classes=num_classes, seed=seed)
        self.options = chosen = resolve(options, image_shape)
        seeds = seeded.layer_seeds(seed)
        blocks = blocks_for(image_shape, chosen.size)
        self.latent_size = chosen.chunk_size * len(blocks.generator)
        classes = keras.layers.Embedding(
            num_classes,
            chosen.class_size,
            embeddings_initializer=keras.initializers.Orthogonal(chosen.class_scale, seed=next(seeds)),
        )
        self.generator = generator_network(
            image_shape, classes, blocks, width=chosen.width, chunk_size=chosen.chunk_size, seeds=seeds
        )
        self.discriminator = discriminator_network(image_shape, blocks, chosen.width, chosen.embedding_size, seeds)
        self.proxies = class_proxies(num_classes, chosen.embedding_size, next(seeds))
        self.average = WeightAverage(self.generator, chosen.average_decay)
        self.adaptive = (
            None
            if chosen.adaptive_target is None
            else AdaptiveAugmentation(chosen.adaptive_target, chosen.adaptive_images)
        )
        self.lecam = LeCam() if chosen.lecam_weight else None
        watchers = tuple(layer for layer in (self.adaptive, self.lecam) if layer is not None)
        self.set_updates(
            (
                Update(
                    DISCRIMINATOR,
                    (self.discriminator, self.proxies, *watchers),
                    self._adam(chosen.discriminator_learning_rate),
                    repeat=chosen.discriminator_steps,
                    metrics=(*ACCURACY_METRICS, "classification_loss"),
                ),
                Update(
                    GENERATOR,
                    (self.generator,),
                    self._adam(chosen.generator_learning_rate),
                    metrics=("synthetic_classification_loss",),
                ),
            )
        )

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The losses of the module's first lines; the two updates draw latents of their own."""
        if update.name == GENERATOR:
            return self._generator_loss(batch, _fold(seed, _GENERATOR_TURN))
        return self._discriminator_loss(batch, seed)

    def after_step(self) -> None:
        """Moves the running average, which is a copy until it starts: at -1 its decay is 0."""
        self.average.follow(self.generator, ops.maximum(self.step - self.options.average_start, -1))

    def sample(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """Draws images, float32[n, h, w, c] in [-1, 1], of labels int32[n] and seeds int64[n]."""
        latents = seeded.latents_for_seeds(seeds, self.latent_size)
        return self.average.network([latents, ops.convert_to_tensor(labels, "int32")], training=False)

    def realness(self, images: Tensor, labels: Tensor) -> Tensor:
        """The discriminator's logits, float32[n], of images float32[n, h, w, c] in [-1, 1]; it asks for no labels."""
        logits, _ = self.discriminator(images, training=False)
        return logits

    def _generator_loss(self, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        logits, embeddings = self._judge(self._draw(batch, seed), _fold(seed, _AUGMENTATION))
        classification = self._classification_loss(embeddings, batch.labels)
        loss = hinge_generator(logits) + self.options.classification_weight * classification
        return loss, {"synthetic_classification_loss": classification}

    def _discriminator_loss(self, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        images = ops.concatenate([batch.images, self._draw(batch, seed)])
        logits, embeddings = self._judge(images, _fold(seed, _AUGMENTATION))
        real, synthetic = ops.split(logits, 2)
        classification = self._classification_loss(ops.split(embeddings, 2)[0], batch.labels)
        loss = hinge_discriminator(real, synthetic) + self.options.classification_weight * classification
        if self.lecam is not None:
            weight = ops.where(self.step >= self.options.lecam_start, self.options.lecam_weight, 0.0)
            loss += weight * self.lecam(real, synthetic)
            self.lecam.follow(real, synthetic)
        if self.adaptive is not None:
            self.adaptive.watch(real)
        return loss, {**discriminator_accuracy(real, synthetic), "classification_loss": classification}

    def _draw(self, batch: Batch, seed: Tensor) -> Tensor:
        latents = seeded.latents_for_batch(self.latent_size, batch.labels, seed)
        return self.generator([latents, batch.labels], training=True)

    def _judge(self, images: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
        images = augment(images, self.options.augmentation, seed)
        if self.adaptive is not None:
            images = self.adaptive(images, seed)
        return self.discriminator(images, training=True)

    def _classification_loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return d2d_cross_entropy(
            embeddings,
            self.proxies(ops.arange(self.num_classes), training=True),
            labels,
            temperature=self.options.temperature,
            positive_margin=self.options.positive_margin,
            negative_margin=1.0 - self.options.positive_margin,
            variant=self.options.d2d_variant,
        )

    def _adam(self, learning_rate: float) -> keras.optimizers.Optimizer:
        return FusedAdam(learning_rate, beta_1=self.options.beta_1, epsilon=_EPSILON)


def build(options: Options, images: ImageTable, *, seed: int) -> ReACGAN:
    """The untrained model.

    Args:
      options: of this generator.
      images: the training images, for their shape and classes.
      seed: of initial weights, latents and augmentation.
    """
    return ReACGAN(options, image_shape=images.image_shape, num_classes=len(images.class_names), seed=seed)
