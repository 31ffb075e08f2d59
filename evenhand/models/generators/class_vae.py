"""Variational autoencoders of each class; new images are decoded between the latents of real ones.

Paper: "Enhancing Image Classification in Small and Unbalanced Datasets through Synthetic Data Augmentation" (S2). A VAE
of its own for each class (Kingma and Welling, Auto-Encoding Variational Bayes, 2014) encodes two images of the class,
and the weighted sum of their latents, `z = a z1 + (1 - a) z2`, is decoded into a new one. S2 gives no architecture, no
latent size and no law of a; those here are ours. Its rotations and mirrorings are the classifier's augmentation.

With an encoder q(z | x) = N(mu, diag e^l), a decoder g and a variance s^2 of the pixels, an image's loss is
`sum over pixels of ((x - g(z))^2 / s^2 + log s^2) / 2 + b KL`, `KL = -1/2 sum(1 + l - mu^2 - e^l)`, with z drawn from
q, l kept within [-8, 4], and b growing from 0 to its value in the first steps. Means over pixels instead of sums would
let the latents say nothing.

A VAE of its own learns little from a handful of images. So classes may share one in which every layer has a scale and
a shift of each class, and by default all do (`Options.sharing`). However many VAEs there are, they are trained side by
side in one step. Chosen by measurement, see above `Options`: sharing, neighbours and the learning rate; S2 itself is
`sharing: none, interpolation: pairs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from evenhand.config import Section
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models.banks import latent_bank
from evenhand.models.networks import seeded
from evenhand.models.networks.class_vae import Decoder, Encoder, PixelVariance, Sizes
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from evenhand.models.training.differentiable_augmentation import flip, translate
from evenhand.models.training.fused_adam import FusedAdam
from evenhand.models.training.update import Update

Tensor = Any

VAE = "vae"
METRICS = ("squared_error", "kl")

_fold = tf.random.experimental.stateless_fold_in
_SHIFT, _FLIP, _TRUNK = 1, 2, 3
_ENCODED_AT_ONCE = 256
_LAST_RATE = 0.02
_BORROWED = 0.5


# Measured by the mean recall, on real test images, of a small classifier trained on 300 synthetic images of each class.
# Fashion-MNIST thinned to 6000, 3000, ..., 12 images: after 1800 steps of 64 at a rate of 1e-3 in the shared VAE,
# neighbours 0.783 and pairs 0.770; after 600 steps 0.773 and 0.764, convex 0.738, prior 0.625, and at 2e-3 neighbours
# 0.784; `small_classes` with pairs 0.764 after 600, which take as long as 1800 of the shared one. 300 real images of
# each class: 0.800. Digits of 32x32 pixels, 90 to 3 a class, 300 steps: 0.842; the real ones as often 0.828.


class Options(Section):
    """Options of `class_vae`.

    Attributes:
      sharing: `none`, a VAE of its own for each class as in S2; `all_classes`, one VAE of all, in which every layer has
        a scale and a shift of each class; `small_classes`, such a one for the classes of fewer than `own_from` images,
        and one of its own for each other. The shared one learns from the images of the others too, by half.
      own_from: images from which on a class has a VAE of its own under `small_classes`.
      interpolation: what is decoded. `pairs`: between any two images of the class; `neighbours`: between an image and
        one of the `members` images of its class whose latents are nearest; `convex`: a weighted mean of `members`
        images of the class, weights uniform among all that add up to 1; `prior`: latents drawn from N(0, I).
      weights: least and largest weight a of the first of two images, under `pairs` and `neighbours`; beyond 0 and 1 the
        line is extended.
      members: see `interpolation`; no more than there are in the largest class.
      jitter: standard deviations of the encoder that are added at random; an only image of a class, where nothing else
        differs, has at least 1.
      latent_size: numbers in a latent; null takes 16 for 28 pixels, 32 for 32, 64 for 64.
      width: filters at half the image's size; twice as many each halving further down, at most 8 times.
      pixel_variance: s^2, of pixels in [-1, 1]; or `learned`, one for each class.
      beta: b, weight of the KL term.
      warm_up_steps: in which b grows from 0.
      free_bits: nats of each latent number that cost no KL.
      learning_rate: Adam's.
      decay_steps: steps over which the rate falls along a cosine to a fiftieth; null keeps it.
      shift: largest displacement of training images, as a share of the size.
      flip: mirror training images left-right at random (wrong for digits and hand signs).
    """

    sharing: Literal["none", "small_classes", "all_classes"] = "all_classes"
    own_from: int = Field(30, ge=1)
    interpolation: Literal["pairs", "neighbours", "convex", "prior"] = "neighbours"
    weights: tuple[float, float] = (0.0, 1.0)
    members: int = Field(5, ge=2)
    jitter: float = Field(0.0, ge=0.0)
    latent_size: int | None = Field(None, ge=1)
    width: int = Field(32, ge=1)
    pixel_variance: float | Literal["learned"] = 0.1
    beta: float = Field(1.0, ge=0.0)
    warm_up_steps: int = Field(200, ge=0)
    free_bits: float = Field(0.0, ge=0.0)
    learning_rate: float = Field(2e-3, gt=0.0)
    decay_steps: int | None = Field(None, ge=1)
    shift: float = Field(0.0, ge=0.0, lt=1.0)
    flip: bool = False

    @field_validator("pixel_variance")
    @classmethod
    def _is_positive(cls, value: Any) -> Any:
        if value != "learned" and value <= 0.0:
            raise ValueError("a variance must be above 0")
        return value

    @model_validator(mode="after")
    def _prior_has_no_jitter(self) -> Options:
        if self.interpolation == "prior" and self.jitter:
            raise ValueError("jitter is added to the latents of images, and the interpolation 'prior' uses none")
        return self

    @field_validator("weights")
    @classmethod
    def _in_order(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError("the least weight stands first")
        return value


class ClassVAE(ConditionalGenerator):
    """The VAEs that `options` describe; see the module.

    Args:
      options: of this generator.
      images: the training images, for their shape, classes and counts.
      seed: of initial weights, latents and augmentation.
    """

    def __init__(self, options: Options, images: ImageTable, *, seed: int) -> None:
        counts, seeds = images.class_counts, seeded.layer_seeds(seed)
        super().__init__(image_shape=images.image_shape, num_classes=len(counts), seed=seed)
        self.options = options
        self.experts, self.has_shared = class_experts(options, counts), shares(options, counts)
        sizes = Sizes(
            images.image_shape,
            len(counts),
            int(self.experts.max()) + 1,
            self.has_shared,
            options.latent_size,
            options.width,
        )
        self.encoder, self.decoder = Encoder(sizes, seeds), Decoder(sizes, seeds)
        self.pixel_variance = PixelVariance(len(counts), options.pixel_variance)
        self.bank = (
            None
            if options.interpolation == "prior"
            else latent_bank.LatentBank(counts.tolist(), sizes.latents, options.interpolation, options.members)
        )
        networks = (self.encoder, self.decoder, self.pixel_variance)
        self.set_updates([Update(VAE, networks, _adam(options), metrics=METRICS)])
        self._encode = tf.function(self.encoder.__call__, reduce_retracing=True)

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The loss of the module's second paragraph, with each image's own expert."""
        images, labels = self._augmented(batch.images, seed), batch.labels
        numbers = int(np.prod(self.image_shape))
        experts = self._training_experts(labels, seed)
        means, log_variances = self.encoder(images, labels, experts)
        noise = seeded.latents_for_batch(means.shape[-1], labels, seed)
        decoded = self.decoder(means + ops.exp(log_variances / 2.0) * noise, labels, experts)
        squares = ops.sum(ops.square(images - decoded), axis=(1, 2, 3))
        divergences = kl_divergence(means, log_variances)
        loss = self.pixel_variance(squares, labels, numbers=numbers)
        loss = loss + self._beta() * ops.sum(ops.maximum(divergences, self.options.free_bits), axis=-1)
        return ops.mean(loss), {
            "squared_error": ops.mean(squares) / numbers,
            "kl": ops.mean(ops.sum(divergences, axis=-1)),
        }

    def sample(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """Draws images, float32[n, h, w, c] in [-1, 1], of labels int32[n] and seeds int64[n]."""
        labels = ops.convert_to_tensor(labels, "int32")
        return self.decoder(self.latents(labels, seeds), labels, self._experts(labels))

    def latents(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """What `sample` decodes, float32[n, z]."""
        options, bank = self.options, self.bank
        noise = seeded.latents_for_seeds(seeds, self.decoder.sizes.latents)
        if bank is None:
            return noise
        who, how = ops.split(latent_bank.uniform_for_seeds(seeds, 2 * bank.members), 2, axis=1)
        rows, present = bank.choose(labels, who)
        if options.interpolation == "convex":
            weights = latent_bank.simplex_weights(how, present)
        else:
            weights = latent_bank.line_weights(how[:, :1], present, *options.weights)
        means, deviations = bank.mixture(rows, weights)
        jitter = ops.where(present[:, 1:2], options.jitter, max(options.jitter, 1.0))
        return means + jitter * deviations * noise

    def prepare_to_sample(self, images: ImageTable) -> None:
        """Encodes all training images."""
        if self.bank is None:
            return
        means, deviations = [], []
        for label, expert in enumerate(self.experts):
            rows = np.flatnonzero(images.labels == label)
            for start in range(0, len(rows), _ENCODED_AT_ONCE):
                pixels = images.images[rows[start : start + _ENCODED_AT_ONCE]].astype(np.float32) / 127.5 - 1.0
                mean, log_variance = self._encode(tf.constant(pixels), tf.constant(label), tf.constant(int(expert)))
                means.append(mean.numpy())
                deviations.append(np.exp(log_variance.numpy() / 2.0))
        self.bank.fill(np.concatenate(means), np.concatenate(deviations))

    def _experts(self, labels: Tensor) -> Tensor:
        """int32[n], or int32[] where there is but one expert."""
        return tf.gather(tf.constant(self.experts), labels) if self.experts.any() else tf.constant(0)

    def _training_experts(self, labels: Tensor, seed: Tensor) -> Tensor:
        experts = self._experts(labels)
        if not self.has_shared or not self.experts.any():
            return experts
        # The shared VAE, number 0, borrows half the images of the classes that have their own.
        coins = tf.random.stateless_uniform(tf.shape(labels), _fold(seed, _TRUNK), alg="philox")
        return tf.where(coins < _BORROWED, 0, experts)

    def _beta(self) -> Tensor:
        if not self.options.warm_up_steps:
            return self.options.beta
        return self.options.beta * ops.minimum(ops.cast(self.step, "float32") / self.options.warm_up_steps, 1.0)

    def _augmented(self, images: Tensor, seed: Tensor) -> Tensor:
        if self.options.shift:
            images = translate(images, self.options.shift, _fold(seed, _SHIFT))
        if self.options.flip:
            images = flip(images, _fold(seed, _FLIP))
        return images


def kl_divergence(means: Tensor, log_variances: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of each latent number, of the shape of both arguments; (1, 0) has 0.5."""
    return -0.5 * (1.0 + log_variances - ops.square(means) - ops.exp(log_variances))


def shares(options: Options, counts: NDArray[np.int64]) -> bool:
    """Whether there is a shared VAE, for classes of `counts` training images, int64[k]."""
    is_needed = bool((counts < options.own_from).any())
    return options.sharing == "all_classes" or (options.sharing == "small_classes" and is_needed)


def class_experts(options: Options, counts: NDArray[np.int64]) -> NDArray[np.int32]:
    """The VAE of each class, numbered from 0, int32[k]; a shared one is number 0.

    Args:
      options: of the generator.
      counts: int64[k], training images of each class.
    """
    if not shares(options, counts):
        return np.arange(len(counts), dtype=np.int32)
    if options.sharing == "all_classes":
        return np.zeros(len(counts), np.int32)
    has_own = counts >= options.own_from
    return np.where(has_own, np.cumsum(has_own), 0).astype(np.int32)


def build(options: Options, images: ImageTable, *, seed: int) -> ClassVAE:
    """The untrained model.

    Args:
      options: of this generator.
      images: the training images.
      seed: of initial weights, latents and augmentation.

    Raises:
      UserError: if a class has no training image.
    """
    absent = [name for name, count in zip(images.class_names, images.class_counts, strict=True) if not count]
    if absent:
        raise UserError("generator", f"class_vae has no training image of {', '.join(absent)}", "leave the class out")
    return ClassVAE(options, images, seed=seed)


def _adam(options: Options) -> keras.optimizers.Optimizer:
    rate: Any = options.learning_rate
    if options.decay_steps is not None:
        rate = keras.optimizers.schedules.CosineDecay(rate, options.decay_steps, alpha=_LAST_RATE)
    return FusedAdam(rate)
