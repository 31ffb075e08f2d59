"""Auxiliary classifier GAN: the discriminator also names the class, and the generator is to make it easy to name.

Paper: Odena, Olah and Shlens, Conditional Image Synthesis with Auxiliary Classifier GANs, 2017, as stated by
"Polarity-GAN" (S4), appendix A.2, equations 12 and 13:

    L_S = E[log P(S = real | x)] + E[log P(S = synthetic | G(z, c))]
    L_C = E[log P(C = c | x)]    + E[log P(C = c | G(z, c))]

The discriminator maximises L_S + L_C, the generator L_C - L_S. Our reading: the generator's part of -L_S is taken in
its non-saturating form, E[log P(S = real | G(z, c))], as in every practical GAN; that is `adversarial: bce` with
`classifier_on: real_and_synthetic`.

A classifier that is trained on what the generator makes of a class agrees with it on anything, however unlike the class
it is. The default is therefore the variant of PyTorch-StudioGAN (ACGAN-Mod) and of the conditional WGAN-GP: the class
head learns from real images alone. `size: paper` is its network for CIFAR-10 (4,304,387 and 1,057,159 parameters) and
training: hinge loss, batch normalisation in the discriminator too, Adam at 2e-4 with betas 0.5 and 0.999, five
discriminator steps to one of the generator, orthogonal initial kernels, no running average. StudioGAN's log of it has
the best Frechet distance (45.6) after 14,000 steps and a collapse to 201 after 100,000: more steps are not better.

Synthetic images have the labels of the real batch, not uniform ones as in StudioGAN: on a long tail the discriminator
would otherwise learn that a rare label means synthetic.
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
from evenhand.models.losses import (
    ACCURACY_METRICS,
    discriminator_accuracy,
    hinge_discriminator,
    hinge_generator,
    prior_cross_entropy,
)
from evenhand.models.networks import resnet, seeded
from evenhand.models.training.averaged_generator import AveragedGenerator
from evenhand.models.training.conditional_generator import Batch
from evenhand.models.training.differentiable_augmentation import Policy, augment
from evenhand.models.training.fused_adam import FusedAdam
from evenhand.models.training.update import Update

Tensor = Any

DISCRIMINATOR, GENERATOR = "discriminator", "generator"
JUDGES_IMAGES = True
CLASS_ACCURACY, SYNTHETIC_CLASS_ACCURACY = "class_accuracy", "synthetic_class_accuracy"

_fold = tf.random.experimental.stateless_fold_in
_AUGMENT_REAL, _AUGMENT_SYNTHETIC = 1, 2

# The defaults of `small` were measured on 279 digits of 28x28 pixels, 90 to 3 a class, one run each: a small classifier
# trained on the synthetic images alone has a balanced accuracy of 0.62 on real ones after 500 steps of 64 and of 0.67
# after 900 (0.77 when trained on the 279 themselves, at 32x32 pixels, classes alike often). A generator's class weight
# of 1 has 0.67 after 500 steps, with less diverse images; with one of 0.2 classes are still mixed up by then.
_PAPER: dict[str, Any] = {
    "width": 64,
    "latent_size": 128,
    "normalization": "batch",
    "learning_rate": 2e-4,
    "discriminator_learning_rate": 2e-4,
    "beta_1": 0.5,
    "discriminator_steps": 5,
    "class_weight": 1.0,
    "generator_class_weight": 1.0,
    "augmentation": (),
    "average_decay": 0.0,
}


class Options(Section):
    """Options of `acgan`; those not given are ours for little data and time, or, with `size: paper`, StudioGAN's.

    Attributes:
      size: `small`, few channels where maps are large; `paper`, StudioGAN's ResNet.
      width: channels of the small networks at full size; StudioGAN's "channel", of which its networks for 32 pixels
        have 4 and 2 times as many.
      latent_size: numbers in a latent.
      adversarial: loss of telling real from synthetic.
      classifier_on: images whose class the discriminator learns: real ones, or both as in equation 13.
      class_weight: weight of the class loss beside the adversarial one, for the discriminator.
      generator_class_weight: the same for the generator. High, it makes images that are plainly of their class but much
        alike.
      normalization: of the discriminator: of batches, of its kernels' spectra, or none.
      learning_rate: Adam's, of the generator.
      discriminator_learning_rate: Adam's, of the discriminator.
      beta_1: Adam's, both networks.
      discriminator_steps: of the discriminator in a training step, each with a batch of its own.
      augmentation: changes of what the discriminator sees (see `differentiable_augmentation`).
      average_decay: decay of the running average of the generator that images are drawn from; 0 draws from the
        generator itself.
    """

    size: Literal["small", "paper"] = "small"
    width: int = Field(16, ge=1)
    latent_size: int = Field(64, ge=1)
    adversarial: Literal["hinge", "bce"] = "hinge"
    classifier_on: Literal["real", "real_and_synthetic"] = "real"
    class_weight: float = Field(1.0, ge=0.0)
    generator_class_weight: float = Field(0.5, ge=0.0)
    normalization: resnet.Normalization = "spectral"
    learning_rate: float = Field(1e-3, gt=0.0)
    discriminator_learning_rate: float = Field(1e-3, gt=0.0)
    beta_1: float = Field(0.5, ge=0.0, lt=1.0)
    discriminator_steps: int = Field(1, ge=1)
    augmentation: Policy = ("translation", "cutout")
    average_decay: float = Field(0.99, ge=0.0, lt=1.0)

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_size(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("size") == "paper":
            return {**_PAPER, **values}
        return values


class ACGAN(AveragedGenerator):
    """The auxiliary classifier GAN that `options` describe; see the module."""

    def __init__(self, options: Options, *, image_shape: tuple[int, int, int], num_classes: int, seed: int) -> None:
        super().__init__(image_shape=image_shape, num_classes=num_classes, seed=seed)
        self.options, self.latent_size = options, options.latent_size
        seeds, layout = seeded.layer_seeds(seed), _layout(options, image_shape)
        self.generator = resnet.generator(
            image_shape,
            num_classes,
            latent_size=options.latent_size,
            widths=layout.generator,
            style=resnet.STUDIOGAN,
            seeds=seeds,
        )
        self.discriminator = resnet.classifying_judge(
            image_shape,
            num_classes,
            layout=layout,
            style=resnet.STUDIOGAN,
            normalization=options.normalization,
            seeds=seeds,
        )
        self.average_weights(options.average_decay)
        self.set_updates(
            (
                Update(
                    DISCRIMINATOR,
                    (self.discriminator,),
                    _adam(options.discriminator_learning_rate, options.beta_1),
                    repeat=options.discriminator_steps,
                    metrics=(*ACCURACY_METRICS, CLASS_ACCURACY),
                ),
                Update(
                    GENERATOR,
                    (self.generator,),
                    _adam(options.learning_rate, options.beta_1),
                    metrics=(SYNTHETIC_CLASS_ACCURACY,),
                ),
            )
        )

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The adversarial loss and the weighted cross-entropy of the class head."""
        latents = seeded.latents_for_batch(self.latent_size, batch.labels, seed)
        images = self.generator([latents, batch.labels], training=True)
        synthetic, synthetic_classes = self._judge(images, _fold(seed, _AUGMENT_SYNTHETIC))
        if update.name == GENERATOR:
            accuracy = resnet.class_accuracy(synthetic_classes, batch.labels)
            return self._generator_loss(synthetic, synthetic_classes, batch.labels), {
                SYNTHETIC_CLASS_ACCURACY: accuracy
            }
        real, real_classes = self._judge(batch.images, _fold(seed, _AUGMENT_REAL))
        loss = self._discriminator_loss(real, synthetic)
        class_loss = prior_cross_entropy(real_classes, batch.labels, 0.0)
        if self.options.classifier_on == "real_and_synthetic":
            class_loss = class_loss + prior_cross_entropy(synthetic_classes, batch.labels, 0.0)
        return loss + self.options.class_weight * class_loss, {
            **discriminator_accuracy(real, synthetic),
            CLASS_ACCURACY: resnet.class_accuracy(real_classes, batch.labels),
        }

    def realness(self, images: Tensor, labels: Tensor) -> Tensor:
        """The discriminator's scores, float32[n], of images float32[n, h, w, c] in [-1, 1]; it asks for no labels."""
        score, _ = self.discriminator(images, training=False)
        return score[:, 0]

    def _judge(self, images: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
        score, classes = self.discriminator(augment(images, self.options.augmentation, seed), training=True)
        return score, classes

    def _discriminator_loss(self, real: Tensor, synthetic: Tensor) -> Tensor:
        if self.options.adversarial == "hinge":
            return hinge_discriminator(real, synthetic)
        # -L_S from logits: minus the log of a probability is softplus(-logit), of its complement softplus(logit).
        return ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(synthetic))

    def _generator_loss(self, synthetic: Tensor, classes: Tensor, labels: Tensor) -> Tensor:
        is_hinge = self.options.adversarial == "hinge"
        loss = hinge_generator(synthetic) if is_hinge else ops.mean(ops.softplus(-synthetic))
        return loss + self.options.generator_class_weight * prior_cross_entropy(classes, labels, 0.0)


def build(options: Options, images: ImageTable, *, seed: int) -> ACGAN:
    """The untrained model.

    Args:
      options: of this generator.
      images: the training images, for their shape and classes.
      seed: of initial weights, latents and augmentation.
    """
    return ACGAN(options, image_shape=images.image_shape, num_classes=len(images.class_names), seed=seed)


def _adam(learning_rate: float, beta_1: float) -> keras.optimizers.Optimizer:
    # StudioGAN's epsilon.
    return FusedAdam(learning_rate, beta_1=beta_1, epsilon=1e-6)


def _layout(options: Options, image_shape: tuple[int, int, int]) -> resnet.Layout:
    if options.size == "small":
        return resnet.pyramid(image_shape, options.width, most=8)
    if max(image_shape[:2]) < 64:
        return resnet.constant(image_shape, 4 * options.width, 2 * options.width)
    return resnet.pyramid(image_shape, options.width, most=16)
