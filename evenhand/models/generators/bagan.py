"""Balancing GAN: starts from an auto-encoder of all classes, and draws each class from its own Gaussian of latents.

Paper: Mariani et al., "BAGAN: Data Augmentation with Balancing GAN", 2018, with its code (IBM/BAGAN); S4 compares with
it. Three stages:

1. In the first `warm_up_steps` steps an auto-encoder learns to reproduce images of all classes, without labels:
   `autoencoder` minimises the mean of (Dec(E(x)) - x)^2.
2. Then, once: the decoder is the generator G from now on; the discriminator D takes over the weights of the encoder's
   convolutions; and each class c gets the Gaussian N(mu_c, Sigma_c) of its images' codes E(x).
3. D tells K + 1 classes apart, the last of which is "synthetic": it minimises cross-entropy on the n real images of a
   batch and on ceil(n / K) synthetic ones. G minimises cross-entropy of D(G(z)) to the class that was wanted, with
   z ~ N(mu_c, Sigma_c), on n + ceil(n / K) latents.

The classes of synthetic images in training are drawn `uniform`ly, or by `rebalance`: in proportion to
max(0, 2 / K - r_c), where r_c is the share of class c in the training images. Together with real images that come as
they are (`generator.sampling: instance`) this makes all classes alike often, hence the name.

Our reading: the paper's sample covariance is undefined for one image and of rank n - 1 for n, so Sigma_c is shrunk to
the covariance that the classes share (see `class_gaussians`). As in the paper, the Gaussians are estimated once, and
not again while G moves on. With `size: paper`, networks and settings are those of its code (there: 150 epochs of each
of the two trainings); the default is smaller and learns faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray
from pydantic import Field, model_validator

from evenhand.config import Section
from evenhand.data.image_table import ImageTable
from evenhand.models.banks import class_gaussians
from evenhand.models.banks.drawn_labels import draw_labels
from evenhand.models.losses import ACCURACY_METRICS, discriminator_accuracy
from evenhand.models.networks import bagan as bagan_networks
from evenhand.models.networks import seeded
from evenhand.models.training.averaged_generator import AveragedGenerator
from evenhand.models.training.conditional_generator import Batch
from evenhand.models.training.differentiable_augmentation import Policy, augment
from evenhand.models.training.fused_adam import FusedAdam
from evenhand.models.training.update import Update

Tensor = Any

AUTOENCODER, DISCRIMINATOR, GENERATOR = "autoencoder", "discriminator", "generator"
JUDGES_IMAGES = True

_fold = tf.random.experimental.stateless_fold_in
_LABELS, _LATENTS, _AUGMENT_REAL, _AUGMENT_SYNTHETIC = 1, 2, 3, 4

# Measured on 260 digits of 28x28 pixels, 90 to 3 a class, 1000 steps of 64: a small classifier trained on the synthetic
# images alone has a balanced accuracy of 0.86 on real ones (0.84 when trained on the 260, classes alike often).
_SMALL_DEFAULTS: dict[str, Any] = {
    "learning_rate": 2e-4,
    "dropout": 0.1,
    "augmentation": ("translation", "cutout"),
    "average_decay": 0.99,
}


class Options(Section):
    """Options of `bagan`; those not given are of the paper's code, or, for `size: small`, what it was measured with.

    Attributes:
      size: `paper`, or `small` networks for a CPU.
      warm_up_steps: steps of the auto-encoder before adversarial training starts. The paper gives both as many.
      labels: law of the classes of synthetic images in training.
      learning_rate: Adam's, all networks.
      beta_1: Adam's, all networks.
      dropout: after each convolution of encoder and discriminator.
      augmentation: of what the discriminator sees; () for none, as in the paper.
      average_decay: decay of the running average of the generator that images are drawn from; 0 draws from the
        generator itself.
    """

    size: Literal["small", "paper"] = "small"
    warm_up_steps: int = Field(400, ge=0)
    labels: Literal["uniform", "rebalance"] = "uniform"
    learning_rate: float = Field(5e-5, gt=0.0)
    beta_1: float = Field(0.5, ge=0.0, lt=1.0)
    dropout: float = Field(0.3, ge=0.0, lt=1.0)
    augmentation: Policy = ()
    average_decay: float = Field(0.0, ge=0.0, lt=1.0)

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_size(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("size", "small") == "small":
            return {**_SMALL_DEFAULTS, **values}
        return values


class BAGAN(AveragedGenerator):
    """The balancing GAN that `options` describe; see the module.

    Attributes:
      encoder: float[n, h, w, c] -> code float32[n, z].
      generator: the decoder, float[n, z] -> float32[n, h, w, c].
      discriminator: float[n, h, w, c] -> logits float32[n, classes + 1]; the last class is "synthetic".
      class_means: float32[k, z], mu_c.
      class_factors: float32[k, z, z], the Cholesky factors of Sigma_c.
    """

    def __init__(self, options: Options, images: ImageTable, *, seed: int) -> None:
        num_classes = len(images.class_names)
        super().__init__(image_shape=images.image_shape, num_classes=num_classes, seed=seed)
        self.options, self.label_shares = options, label_shares(options.labels, images.class_counts)
        size, seeds = bagan_networks.SIZES[options.size], seeded.layer_seeds(seed)
        self.latent_size = size.latent_size
        self.generator = bagan_networks.generator(images.image_shape, size, seeds)
        self.encoder = bagan_networks.trunk_with_head(
            images.image_shape, size, size.latent_size, options.dropout, "encoder", seeds
        )
        self.discriminator = bagan_networks.trunk_with_head(
            images.image_shape, size, num_classes + 1, options.dropout, "discriminator", seeds
        )
        self.average_weights(options.average_decay)
        shape = (num_classes, self.latent_size)
        self.class_means = self._statistic("class_means", shape)
        self.class_factors = self._statistic("class_factors", (*shape, self.latent_size))
        # Standard normal latents, until there are encodings.
        self.class_factors.assign(np.tile(np.eye(self.latent_size, dtype=np.float32), (num_classes, 1, 1)))
        start = options.warm_up_steps
        self.set_updates(
            (
                Update(AUTOENCODER, (self.encoder, self.generator), self._adam(), stop=start),
                Update(DISCRIMINATOR, (self.discriminator,), self._adam(), start=start, metrics=ACCURACY_METRICS),
                Update(GENERATOR, (self.generator,), self._adam(), start=start),
            )
        )

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Mean squared error of the auto-encoder, cross-entropies of D and G."""
        if update.name == AUTOENCODER:
            decoded = self.generator(self.encoder(batch.images, training=True), training=True)
            return ops.mean(ops.square(decoded - batch.images)), {}
        number = batch.images.shape[0]
        few = -(-number // self.num_classes)
        if update.name == GENERATOR:
            labels = self._draw_labels(number + few, seed)
            return _cross_entropy(self._judge_synthetic(labels, seed), labels), {}
        real = self._judge(batch.images, _fold(seed, _AUGMENT_REAL))
        synthetic = self._judge_synthetic(self._draw_labels(few, seed), seed)
        labels = ops.concatenate([batch.labels, ops.full((few,), self.num_classes, dtype="int32")])
        loss = _cross_entropy(ops.concatenate([real, synthetic]), labels)
        return loss, discriminator_accuracy(_realness(real), _realness(synthetic))

    def milestones(self) -> Mapping[int, Callable[[ImageTable], None]]:
        """After the warm-up: the trunk of D and the Gaussians of the classes."""
        return {self.options.warm_up_steps: self._start_adversarial_training}

    def prepare_to_sample(self, images: ImageTable) -> None:
        """Estimates the Gaussians while the encoder still learns; adversarial training starts from its own."""
        if self.steps_done <= self.options.warm_up_steps:
            self._estimate_gaussians(images)

    def sample(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """Draws images, float32[n, h, w, c] in [-1, 1], of labels int32[n] and seeds int64[n]."""
        noise = seeded.latents_for_seeds(seeds, self.latent_size)
        latents = self.latents(noise, ops.convert_to_tensor(labels, "int32"))
        return self.drawing_network(latents, training=False)

    def realness(self, images: Tensor, labels: Tensor) -> Tensor:
        """The logit of not being synthetic, float32[n], of images float32[n, h, w, c] in [-1, 1], of any class."""
        return _realness(self.discriminator(images, training=False))

    def latents(self, noise: Tensor, labels: Tensor) -> Tensor:
        """mu_c + L_c e for standard normal e (float32[n, z]) and labels int32[n]: float32[n, z]."""
        factors = tf.gather(self.class_factors.value, labels)
        return tf.gather(self.class_means.value, labels) + tf.linalg.matvec(factors, noise)

    def _statistic(self, name: str, shape: tuple[int, ...]) -> keras.Variable:
        return self.add_weight(
            name=name, shape=shape, dtype="float32", initializer="zeros", trainable=False, autocast=False
        )

    def _adam(self) -> keras.optimizers.Optimizer:
        return FusedAdam(self.options.learning_rate, beta_1=self.options.beta_1, epsilon=1e-8)

    def _draw_labels(self, number: int, seed: Tensor) -> Tensor:
        return draw_labels(self.label_shares, number, _fold(seed, _LABELS))

    def _judge_synthetic(self, labels: Tensor, seed: Tensor) -> Tensor:
        noise = seeded.latents_for_batch(self.latent_size, labels, _fold(seed, _LATENTS))
        images = self.generator(self.latents(noise, labels), training=True)
        return self._judge(images, _fold(seed, _AUGMENT_SYNTHETIC))

    def _judge(self, images: Tensor, seed: Tensor) -> Tensor:
        return self.discriminator(augment(images, self.options.augmentation, seed), training=True)

    def _start_adversarial_training(self, images: ImageTable) -> None:
        bagan_networks.copy_trunk(self.encoder, self.discriminator)
        self._estimate_gaussians(images)

    def _estimate_gaussians(self, images: ImageTable) -> None:
        moments = class_gaussians.class_moments(self._encode, images, self.latent_size)
        means, factors = class_gaussians.gaussians(moments)
        self.class_means.assign(means)
        self.class_factors.assign(factors)

    def _encode(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        codes: NDArray[np.float32] = ops.convert_to_numpy(self.encoder(images, training=False))
        return codes


def label_shares(law: str, class_counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """The law of the classes of synthetic images in training.

    Args:
      law: `uniform` or `rebalance`.
      class_counts: training images of each class.

    Returns:
      float64[k], adding up to 1.
    """
    number = len(class_counts)
    if law == "uniform":
        return np.full(number, 1.0 / number)
    wanted = np.maximum(0.0, 2.0 / number - class_counts / class_counts.sum())
    shares: NDArray[np.float64] = wanted / wanted.sum()
    return shares


def build(options: Options, images: ImageTable, *, seed: int) -> BAGAN:
    """The untrained model.

    Args:
      options: of this generator.
      images: the training images, for their shape, classes and counts.
      seed: of initial weights, latents and dropout.
    """
    return BAGAN(options, images, seed=seed)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))


def _realness(logits: Tensor) -> Tensor:
    """The logit of not being synthetic, float32[n], of logits float32[n, classes + 1]."""
    return ops.logsumexp(logits[:, :-1], axis=-1) - logits[:, -1]
