"""Conditional Wasserstein GAN with gradient penalty: a critic whose slope, not its certainty, tells the images apart.

Paper: Gulrajani et al., Improved Training of Wasserstein GANs, 2017, equation 3 and appendix F, a baseline of
"Polarity-GAN" (S4); conditional as in its code (igul222/improved_wgan_training, gan_cifar_resnet.py):

    L_critic    = E[D(G(z, c))] - E[D(x)] + 10 E[(|gradient of D at x'| - 1)^2] + 1.0 CE(class head of x)
    L_generator = -E[D(G(z, c))] + 0.1 CE(class head of G(z, c))

where x' lies at a uniform share between a real image x and a synthetic one of the same class: synthetic images have the
labels of the real batch, in the penalty too. The class head learns from real images alone.

A critic without normalisation and without a class head hardly looks at the class (that code warns of it), so there is
either the head or, `conditioning: projection`, an inner product of the class' embedding with the features; then the
cross-entropies are left off. The critic has no batch normalisation, which would couple the images whose slopes are
penalised one by one (StudioGAN's WGAN-GP keeps it), and no spectral normalisation, which would bound the slope twice.

`size: paper` is the network for CIFAR-10 (1,218,307 and 1,055,115 parameters) and its training: Adam at 2e-4 with betas
0 and 0.9, falling linearly to 0 in 100,000 steps, five critic steps to one of the generator, whose batch is twice as
large, dequantised images. Its code normalises by the batch when it draws images, too; we draw with running statistics,
so that an image depends on nothing but its own label and seed.

The critic's score has no zero of its own, so no accuracies are logged but `critic_gap`, E[D(x)] - E[D(G(z, c))], an
estimate of the Wasserstein distance that should fall.
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
from evenhand.models.losses import prior_cross_entropy
from evenhand.models.networks import resnet, seeded
from evenhand.models.training.averaged_generator import AveragedGenerator
from evenhand.models.training.conditional_generator import Batch
from evenhand.models.training.differentiable_augmentation import Policy, augment
from evenhand.models.training.fused_adam import FusedAdam
from evenhand.models.training.gradient_penalty import gradient_penalty
from evenhand.models.training.update import Update

Tensor = Any

CRITIC, GENERATOR = "critic", "generator"
JUDGES_IMAGES = True
CRITIC_GAP = "critic_gap"

_fold = tf.random.experimental.stateless_fold_in
_AUGMENT_REAL, _AUGMENT_SYNTHETIC, _NOISE, _MIX, _GENERATOR_LATENTS = 1, 2, 3, 4, 5

# The defaults of `small` were measured on 279 digits of 28x28 pixels, 90 to 3 a class, one run each: a small classifier
# trained on the synthetic images alone has a balanced accuracy of 0.72 on real ones after 500 steps of 64 (0.77 when
# trained on the 279 themselves, at 32x32 pixels, classes alike often). With the paper's average of the critic's last
# maps the class head was right on 47% of the images after 500 turns, not on 79%, and with its weight of 0.1 the
# generator's images had no class yet after 200 steps.
_PAPER: dict[str, Any] = {
    "width": 64,
    "latent_size": 128,
    "critic_steps": 5,
    "generator_batches": 2,
    "learning_rate": 2e-4,
    "decay_steps": 100_000,
    "dequantization": True,
    "class_weight": 1.0,
    "generator_class_weight": 0.1,
    "augmentation": (),
    "average_decay": 0.0,
}


class Options(Section):
    """Options of `wgan_gp`; those not given are ours for little data and time, or, with `size: paper`, the paper's.

    Attributes:
      size: `small`, few channels where maps are large, and the critic sums its last maps, with which its class head
        learns several times sooner; `paper`, the ResNet for CIFAR-10.
      width: channels of the small networks at full size; the paper's networks for 32 pixels have twice as many at
        every size (128), those for 64 pixels as many at full size.
      latent_size: numbers in a latent.
      conditioning: how the critic knows classes: by a head that names them, or by projection of the label.
      class_weight: weight of the class head's cross-entropy on real images in the critic's loss.
      generator_class_weight: weight of that on synthetic images in the generator's loss.
      penalty: weight of the gradient penalty.
      critic_steps: of the critic in a training step, each with a batch of its own.
      generator_batches: synthetic images of the generator's turn, in batches; their classes are those of one batch.
      learning_rate: Adam's, both networks.
      beta_1: Adam's, both networks.
      beta_2: Adam's, both networks.
      decay_steps: training steps in which the learning rate falls linearly to 0; None keeps it.
      dequantization: add noise of one grey level to real images, so that pixels are not told by their 256 levels.
      augmentation: changes of what the critic sees (see `differentiable_augmentation`); the penalty is taken between
        the changed images.
      average_decay: decay of the running average of the generator that images are drawn from; 0 draws from the
        generator itself.
    """

    size: Literal["small", "paper"] = "small"
    width: int = Field(16, ge=1)
    latent_size: int = Field(64, ge=1)
    conditioning: Literal["class_head", "projection"] = "class_head"
    class_weight: float = Field(1.0, ge=0.0)
    generator_class_weight: float = Field(2.0, ge=0.0)
    penalty: float = Field(10.0, ge=0.0)
    critic_steps: int = Field(2, ge=1)
    generator_batches: int = Field(1, ge=1)
    learning_rate: float = Field(1e-3, gt=0.0)
    beta_1: float = Field(0.0, ge=0.0, lt=1.0)
    beta_2: float = Field(0.9, ge=0.0, lt=1.0)
    decay_steps: int | None = Field(None, ge=1)
    dequantization: bool = False
    augmentation: Policy = ("translation", "cutout")
    average_decay: float = Field(0.99, ge=0.0, lt=1.0)

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_size(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("size") == "paper":
            return {**_PAPER, **values}
        return values


class WassersteinGAN(AveragedGenerator):
    """The Wasserstein GAN that `options` describe; see the module."""

    def __init__(self, options: Options, *, image_shape: tuple[int, int, int], num_classes: int, seed: int) -> None:
        super().__init__(image_shape=image_shape, num_classes=num_classes, seed=seed)
        self.options, self.latent_size = options, options.latent_size
        seeds, layout = seeded.layer_seeds(seed), _layout(options, image_shape)
        style = resnet.WASSERSTEIN if options.size == "paper" else resnet.STUDIOGAN
        self.generator = resnet.generator(
            image_shape,
            num_classes,
            latent_size=options.latent_size,
            widths=layout.generator,
            style=style,
            seeds=seeds,
        )
        if options.conditioning == "projection":
            self.critic = resnet.projecting_judge(image_shape, num_classes, layout=layout, style=style, seeds=seeds)
        else:
            self.critic = resnet.classifying_judge(
                image_shape,
                num_classes,
                layout=layout,
                style=style,
                normalization="none",
                seeds=seeds,
            )
        self.average_weights(options.average_decay)
        self.set_updates(
            (
                Update(
                    CRITIC,
                    (self.critic,),
                    _adam(options, options.critic_steps),
                    repeat=options.critic_steps,
                    metrics=(CRITIC_GAP, *self._class_metrics("class_accuracy")),
                ),
                Update(
                    GENERATOR,
                    (self.generator,),
                    _adam(options, 1),
                    metrics=self._class_metrics("synthetic_class_accuracy"),
                ),
            )
        )

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The Wasserstein losses, with the penalty for the critic, and the weighted cross-entropy of the class head."""
        return self._generator_loss(batch, seed) if update.name == GENERATOR else self._critic_loss(batch, seed)

    def realness(self, images: Tensor, labels: Tensor) -> Tensor:
        """The critic's scores, float32[n], of images float32[n, h, w, c] in [-1, 1] and labels int32[n]."""
        return self._judge(images, labels, training=False)[0][:, 0]

    def _class_metrics(self, name: str) -> tuple[str, ...]:
        return (name,) if self.options.conditioning == "class_head" else ()

    def _synthetic(self, labels: Tensor, seed: Tensor) -> Tensor:
        latents = seeded.latents_for_batch(self.latent_size, labels, seed)
        images = self.generator([latents, labels], training=True)
        return augment(images, self.options.augmentation, _fold(seed, _AUGMENT_SYNTHETIC))

    def _judge(self, images: Tensor, labels: Tensor, *, training: bool = True) -> tuple[Tensor, Tensor | None]:
        """Scores float32[n, 1] and class logits, None with projection."""
        if self.options.conditioning == "projection":
            return self.critic([images, labels], training=training), None
        scores, classes = self.critic(images, training=training)
        return scores, classes

    def _critic_loss(self, batch: Batch, seed: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        labels, options = batch.labels, self.options
        real = dequantized(batch.images, _fold(seed, _NOISE)) if options.dequantization else batch.images
        real = augment(real, options.augmentation, _fold(seed, _AUGMENT_REAL))
        synthetic = self._synthetic(labels, seed)
        real_scores, real_classes = self._judge(real, labels)
        synthetic_scores, _ = self._judge(synthetic, labels)
        gap = ops.mean(real_scores) - ops.mean(synthetic_scores)
        slope = gradient_penalty(lambda images: self._judge(images, labels)[0], real, synthetic, _fold(seed, _MIX))
        loss = options.penalty * slope - gap
        if real_classes is None:
            return loss, {CRITIC_GAP: gap}
        accuracy = resnet.class_accuracy(real_classes, labels)
        loss = loss + options.class_weight * prior_cross_entropy(real_classes, labels, 0.0)
        return loss, {CRITIC_GAP: gap, "class_accuracy": accuracy}

    def _generator_loss(self, batch: Batch, seed: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        labels = ops.tile(batch.labels, [self.options.generator_batches])
        scores, classes = self._judge(self._synthetic(labels, _fold(seed, _GENERATOR_LATENTS)), labels)
        loss = -ops.mean(scores)
        if classes is None:
            return loss, {}
        accuracy = resnet.class_accuracy(classes, labels)
        loss = loss + self.options.generator_class_weight * prior_cross_entropy(classes, labels, 0.0)
        return loss, {"synthetic_class_accuracy": accuracy}


def dequantized(images: Tensor, seed: Tensor) -> Tensor:
    """Spreads the 256 grey levels evenly over [-1, 1): level v becomes uniform in [v / 128 - 1, (v + 1) / 128 - 1).

    Args:
      images: float32[n, h, w, c], v / 127.5 - 1.
      seed: int32[2].
    """
    noise = tf.random.stateless_uniform(tf.shape(images), seed=seed, alg="philox")
    return ((images + 1.0) * 127.5 + noise) / 128.0 - 1.0


def build(options: Options, images: ImageTable, *, seed: int) -> WassersteinGAN:
    """The untrained model.

    Args:
      options: of this generator.
      images: the training images, for their shape and classes.
      seed: of initial weights, latents and augmentation.
    """
    return WassersteinGAN(options, image_shape=images.image_shape, num_classes=len(images.class_names), seed=seed)


def _adam(options: Options, turns: int) -> keras.optimizers.Optimizer:
    rate: Any = options.learning_rate
    if options.decay_steps is not None:
        # An optimizer counts its own turns, of which a critic has several in a training step.
        rate = keras.optimizers.schedules.PolynomialDecay(rate, options.decay_steps * turns, 0.0)
    return FusedAdam(rate, beta_1=options.beta_1, beta_2=options.beta_2, epsilon=1e-8)


def _layout(options: Options, image_shape: tuple[int, int, int]) -> resnet.Layout:
    if options.size == "small":
        return resnet.pyramid(image_shape, options.width, most=8)
    if max(image_shape[:2]) < 64:
        return resnet.constant(image_shape, 2 * options.width, 2 * options.width)
    return resnet.pyramid(image_shape, options.width, most=8)
