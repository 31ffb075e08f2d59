"""Conditional GAN: perceptrons or transposed convolutions that read the class from a label embedding.

Paper: "Re-Balancing of Long-Tailed Datasets Using CGAN Generation" (S3), sections 3.1 and 3.2, with its code
(dinodeep/10707-Project, final/final-gan); the losses are those of Mirza and Osindero, Conditional Generative
Adversarial Nets, 2014.

With latents z ~ N(0, I), a label y and D's probability of being real, the discriminator minimises
`(BCE(D(x, y), 1) + BCE(D(G(z, y), y), 0)) / 2` and the generator `BCE(D(G(z, y), y), 1)`, with the very z and y that
the discriminator has just seen, on classes drawn alike often (`generator.sampling: balanced`).

S3's five variants are trained as S3 says: Adam at 2e-4, no augmentation, no average. They need tens of thousands of
steps. Synthetic images have the labels of the real ones beside them, where the paper's code draws them alike often; on
balanced batches the laws are the same. Images are drawn with running statistics where there is batch normalisation.
The default, `conv`, is ours, for little data and little time: see `Options`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import tensorflow as tf
from keras import ops
from pydantic import Field, model_validator

from evenhand.config import Section
from evenhand.data.image_table import ImageTable
from evenhand.models.losses import ACCURACY_METRICS, discriminator_accuracy
from evenhand.models.networks import cgan as cgan_networks
from evenhand.models.networks import seeded
from evenhand.models.training.averaged_generator import AveragedGenerator
from evenhand.models.training.conditional_generator import Batch
from evenhand.models.training.differentiable_augmentation import Policy, augment, translate
from evenhand.models.training.fused_adam import FusedAdam
from evenhand.models.training.update import Update

Tensor = Any

DISCRIMINATOR, GENERATOR = "discriminator", "generator"
JUDGES_IMAGES = True

_fold = tf.random.experimental.stateless_fold_in
_MOVE_REAL, _MOVE_SYNTHETIC, _OTHER_LATENTS = 1, 2, 3
_LEAST_SPREAD = 1e-3

# Measured on 260 digits of 32x32 pixels, 90 to 3 a class, 700 to 1000 steps of 64: a small classifier trained on the
# synthetic images alone has a balanced accuracy of 0.72 to 0.78 on real ones (0.85 when trained on the 260 themselves,
# classes alike often). Without `diversity` nearly every image of a class is the same.
_CONV_DEFAULTS: dict[str, Any] = {
    "latent_size": 64,
    "embedding_size": 24,
    "learning_rate": 1e-3,
    "beta_1": 0.5,
    "dropout": 0.0,
    "translation": 0.1,
    "diversity": 0.1,
    "average_decay": 0.99,
}


class Options(Section):
    """Options of `cgan`; those not given are S3's, or, for `conv`, the ones it was measured with.

    Attributes:
      variant: S3's four perceptrons; `dccgan`, the convolutional one of its code; or `conv`, a small DCGAN with batch
        normalisation whose discriminator takes the class by projection.
      latent_size: numbers in a latent.
      embedding_size: numbers in a label embedding; large beside `latent_size`, images of a class look alike, small,
        classes do.
      learning_rate: Adam's, both networks.
      beta_1: Adam's, both networks.
      dropout: in the discriminator.
      translation: largest displacement, as a share of the size, of what the discriminator sees (see
        `differentiable_augmentation`).
      augmentation: what else is done to it; with `translation` among it, by an eighth of the size, the option
        `translation` is 0.
      diversity: weight of the mode-seeking loss: the inverse of the mean absolute difference between two images of a
        class over that of their latents (Mao et al., Mode Seeking GANs, 2019, equation 3).
      average_decay: decay of the running average of the generator that images are drawn from; 0 draws from the
        generator itself.
      width: filters of `conv` at half the image's size.
    """

    variant: Literal[
        "conv", "dccgan", "mlp_cgan_relu", "mlp_cgan_leaky", "small_mlp_cgan_leaky", "big_mlp_cgan_leaky"
    ] = "conv"
    latent_size: int = Field(100, ge=1)
    embedding_size: int = Field(10, ge=1)
    learning_rate: float = Field(2e-4, gt=0.0)
    beta_1: float = Field(0.9, ge=0.0, lt=1.0)
    dropout: float = Field(0.3, ge=0.0, lt=1.0)
    translation: float = Field(0.0, ge=0.0, lt=1.0)
    augmentation: Policy = ()
    diversity: float = Field(0.0, ge=0.0)
    average_decay: float = Field(0.0, ge=0.0, lt=1.0)
    width: int = Field(16, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_variant(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("variant", "conv") == "conv":
            own = {"translation": 0.0} if "translation" in (values.get("augmentation") or ()) else {}
            return {**_CONV_DEFAULTS, **own, **values}
        return values

    @model_validator(mode="after")
    def _width_is_that_of_conv(self) -> Options:
        if self.variant != "conv" and self.width != type(self).model_fields["width"].default:
            raise ValueError("width is an option of the variant conv; the others have the widths of S3")
        return self

    @model_validator(mode="after")
    def _moves_once(self) -> Options:
        if self.translation and "translation" in self.augmentation:
            raise ValueError("augmentation has translation, so the option translation must be 0 or absent")
        return self


class CGAN(AveragedGenerator):
    """The conditional GAN that `options` describe; see the module."""

    def __init__(self, options: Options, *, image_shape: tuple[int, int, int], num_classes: int, seed: int) -> None:
        super().__init__(image_shape=image_shape, num_classes=num_classes, seed=seed)
        self.options, self.latent_size = options, options.latent_size
        self.generator, self.discriminator = _networks(options, image_shape, num_classes, seed)
        self.average_weights(options.average_decay)
        self.set_updates(
            (
                Update(
                    DISCRIMINATOR,
                    (self.discriminator,),
                    _adam(options),
                    metrics=ACCURACY_METRICS,
                ),
                Update(GENERATOR, (self.generator,), _adam(options)),
            )
        )

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """S3's losses, from logits: BCE to 1 is softplus(-logit), BCE to 0 softplus(logit)."""
        latents = seeded.latents_for_batch(self.latent_size, batch.labels, seed)
        images = self.generator([latents, batch.labels], training=True)
        synthetic = self._judge(images, batch.labels, _fold(seed, _MOVE_SYNTHETIC))
        if update.name == GENERATOR:
            return ops.mean(ops.softplus(-synthetic)) + self._sameness(images, latents, batch.labels, seed), {}
        real = self._judge(batch.images, batch.labels, _fold(seed, _MOVE_REAL))
        loss = (ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(synthetic))) / 2.0
        return loss, discriminator_accuracy(real, synthetic)

    def realness(self, images: Tensor, labels: Tensor) -> Tensor:
        """The discriminator's logits, float32[n], of images float32[n, h, w, c] in [-1, 1] and labels int32[n]."""
        return self.discriminator([images, labels], training=False)[:, 0]

    def _judge(self, images: Tensor, labels: Tensor, seed: Tensor) -> Tensor:
        if self.options.translation:
            images = translate(images, self.options.translation, seed)
        images = augment(images, self.options.augmentation, seed)
        return self.discriminator([images, labels], training=True)

    def _sameness(self, images: Tensor, latents: Tensor, labels: Tensor, seed: Tensor) -> Tensor:
        if not self.options.diversity:
            return 0.0
        other_latents = seeded.latents_for_batch(self.latent_size, labels, _fold(seed, _OTHER_LATENTS))
        other_images = self.generator([other_latents, labels], training=True)
        return self.options.diversity * mode_seeking_loss(images, other_images, latents, other_latents)


def mode_seeking_loss(images: Tensor, other_images: Tensor, latents: Tensor, other_latents: Tensor) -> Tensor:
    """The inverse of how far images of the same classes move with their latents.

    Args:
      images: float[n, h, w, c].
      other_images: float[n, h, w, c], of the same labels.
      latents: float[n, z], of `images`.
      other_latents: float[n, z], of `other_images`.

    Returns:
      float scalar, 1 / (mean of |image - other| / |latent - other| + 0.001).
    """
    moved = ops.mean(ops.abs(images - other_images), axis=(1, 2, 3))
    apart = ops.mean(ops.abs(latents - other_latents), axis=1)
    return 1.0 / (ops.mean(moved / apart) + _LEAST_SPREAD)


def build(options: Options, images: ImageTable, *, seed: int) -> CGAN:
    """The untrained model.

    Args:
      options: of this generator.
      images: the training images, for their shape and classes.
      seed: of initial weights, latents and dropout.
    """
    return CGAN(options, image_shape=images.image_shape, num_classes=len(images.class_names), seed=seed)


def _adam(options: Options) -> keras.optimizers.Optimizer:
    # PyTorch's epsilon.
    return FusedAdam(options.learning_rate, beta_1=options.beta_1, epsilon=1e-8)


def _networks(
    options: Options, image_shape: tuple[int, int, int], num_classes: int, seed: int
) -> tuple[keras.Model, keras.Model]:
    seeds = seeded.layer_seeds(seed)
    sizes = (options.latent_size, options.embedding_size)
    if options.variant == "conv":
        generator = cgan_networks.convolutional_generator(image_shape, num_classes, sizes, options.width, seeds)
        return generator, cgan_networks.projection_discriminator(
            image_shape, num_classes, options.width, options.dropout, seeds
        )
    if options.variant == "dccgan":
        generator = cgan_networks.dccgan_generator(image_shape, num_classes, sizes, seeds)
    else:
        generator = cgan_networks.perceptron_generator(options.variant, image_shape, num_classes, sizes, seeds)
    return generator, cgan_networks.perceptron_discriminator(
        image_shape, num_classes, options.embedding_size, options.dropout, seeds
    )
