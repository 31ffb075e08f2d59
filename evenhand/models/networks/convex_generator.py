"""S4's generator: convex combinations of a class's training images (equation 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from evenhand.models.banks.class_bank import ClassBank
from evenhand.models.networks import polarity as polarity_networks

Tensor = Any

WEIGHT_METRICS = ("max_weight", "weight_entropy")
"""What `weight_metrics` gives, for an update's `metrics`."""

_MASKED = -1e9


class ConvexGenerator(keras.layers.Layer):
    """x = sum_j a_j x_j with a = softmax(P(Q(z, i))) over some images of class i.

    Args:
      bank: the images, or their codes.
      num_classes: classes.
      latent_size: numbers in z.
      entropy_floor: see `ConvexWeights`.
      seeds: for initialisers.

    Attributes:
      bank: as given.
      mapping: Q, and `weighting`, P: what is trained.
    """

    def __init__(
        self, bank: ClassBank, num_classes: int, latent_size: int, entropy_floor: float, seeds: Iterator[int]
    ) -> None:
        super().__init__(dtype="float32")
        self.bank, self.num_classes, self.latent_size = bank, num_classes, latent_size
        self.mapping = polarity_networks.mapping(num_classes, latent_size, seeds)
        self.weighting = ConvexWeights(int(bank.counts.sum()), polarity_networks.MAPPED, entropy_floor, next(seeds))
        self.built = True

    @property
    def trained(self) -> tuple[keras.Model, ConvexWeights]:
        """The networks of its updates; the bank is none of them."""
        return self.mapping, self.weighting

    @property
    def noise_size(self) -> int:
        """Standard normal numbers that a sample takes: z, and what chooses its images."""
        return self.latent_size + self.bank.uniform_size

    def call(self, noise: Tensor, labels: Tensor, *, training: bool) -> tuple[Tensor, Tensor]:
        """Combinations.

        Args:
          noise: float32[n, noise_size], standard normal.
          labels: int32[n].
          training: whether Q normalises by this very batch.

        Returns:
          float32[n, size] in the hulls of the classes, and the weights, float32[n, members].
        """
        latents, others = noise[:, : self.latent_size], noise[:, self.latent_size :]
        # The normal distribution function makes the rest uniform.
        rows, present = self.bank.choose(labels, 0.5 + 0.5 * tf.math.erf(others / 2.0**0.5))
        one_hot = ops.one_hot(labels, self.num_classes, dtype="float32")
        weights = self.weighting(self.mapping([latents, one_hot], training=training), rows, present)
        return combine(weights, self.bank.gather(rows)), weights


class ConvexWeights(keras.layers.Layer):
    """P of S4's equation 3: a logit for each training image, and their softmax over the members of a combination.

    Args:
      num_images: in the bank.
      size: numbers in what Q gives.
      entropy_floor: e in [0, 1); the softmax is mixed with e parts of equal weights. Entropy is concave, so that of the
        weights is at least e log(members), and no weight exceeds 1 - e (1 - 1 / members).
      seed: of the initial logits.
    """

    def __init__(self, num_images: int, size: int, entropy_floor: float, seed: int) -> None:
        super().__init__(dtype="float32")
        self.entropy_floor = entropy_floor
        self.kernel = self.add_weight(
            name="kernel", shape=(num_images, size), initializer=keras.initializers.RandomNormal(0.0, size**-0.5, seed)
        )
        self.bias = self.add_weight(name="bias", shape=(num_images,), initializer="zeros")
        self.built = True

    def call(self, points: Tensor, rows: Tensor, present: Tensor) -> Tensor:
        """Weights float32[n, members], adding up to 1 and 0 where nobody is present.

        Args:
          points: float[n, size], what Q gives.
          rows: int32[n, members].
          present: bool[n, members].
        """
        logits = ops.sum(ops.take(self.kernel, rows, axis=0) * points[:, None, :], axis=-1)
        logits = logits + ops.take(self.bias, rows, axis=0)
        weights = ops.softmax(ops.where(present, logits, _MASKED), axis=-1)
        if self.entropy_floor:
            here = ops.cast(present, "float32")
            equal = here / ops.sum(here, axis=-1, keepdims=True)
            weights = (1.0 - self.entropy_floor) * weights + self.entropy_floor * equal
        # So that the weight of an only image is 1 to the last bit.
        return weights / ops.sum(weights, axis=-1, keepdims=True)


def combine(weights: Tensor, vectors: Tensor) -> Tensor:
    """The convex combinations float32[n, size] of vectors[n, members, size] with weights[n, members].

    A product and a sum rather than a matrix product, which devices round to fewer bits and so out of the hull.
    """
    return ops.sum(weights[:, :, None] * vectors, axis=1)


def entropy(weights: Tensor) -> Tensor:
    """Entropy of each combination's weights, float32[n], in nats; softmax(0, ln 2, ln 5) has 0.900256."""
    return -ops.sum(weights * ops.log(ops.maximum(weights, 1e-30)), axis=-1)


def weight_metrics(weights: Tensor) -> dict[str, Tensor]:
    """Means over combinations (weights float32[n, members]) of the largest weight, 1 for a copy, and of the entropy."""
    values = (ops.mean(ops.max(weights, axis=-1)), ops.mean(entropy(weights)))
    return dict(zip(WEIGHT_METRICS, values, strict=True))
