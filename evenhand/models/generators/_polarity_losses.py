"""What `polarity_gan` minimises, and the laws of its classes."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from evenhand.models.losses import ACCURACY_METRICS, discriminator_accuracy
from evenhand.models.training.gradient_penalty import gradient_penalty

Tensor = Any

GRADIENT_PENALTY = 10.0

Majority = Literal["include", "skip"]


def judged_shares(class_counts: NDArray[np.integer], majority: Majority) -> NDArray[np.float64]:
    """The law of the classes that C and D meet synthetic images of (line 6 of S4's algorithm 1).

    A class's share is proportional to p_k - p_i, so that the largest has none. `include` gives every largest class
    1 / K, and the others the rest in those proportions.

    Args:
      class_counts: training images of each class.
      majority: what becomes of the largest class.

    Returns:
      float64[k], adding up to 1: (50, 30, 15, 5) gives (0, .2, .35, .45), with `include` (.25, .15, .2625, .3375).
      Equal counts give equal shares.
    """
    lacking = (class_counts.max() - class_counts).astype(np.float64)
    if not lacking.any():
        return np.full(len(class_counts), 1.0 / len(class_counts))
    shares: NDArray[np.float64] = lacking / lacking.sum()
    if majority == "include":
        is_largest = lacking == 0.0
        largest = is_largest / len(class_counts)
        shares = largest + (1.0 - largest.sum()) * shares
    return shares


def generated_shares(class_counts: NDArray[np.integer], majority: Majority) -> NDArray[np.float64]:
    """The law of the classes that G learns (line 9): all alike, without the largest for `skip`; float64[k]."""
    is_drawn = judged_shares(class_counts, majority) > 0.0
    shares: NDArray[np.float64] = is_drawn / is_drawn.sum()
    return shares


def pair_weights(one_hot: Tensor, shares: NDArray[np.float64]) -> Tensor:
    """Weights of a batch's images with which each class weighs in the mean what it has in `shares`.

    Args:
      one_hot: float32[n, k], their classes.
      shares: float64[k].

    Returns:
      float32[n] with mean 1, as far as the shares of the classes that are there allow; zeros if those have none.
    """
    per_image = tf.math.divide_no_nan(ops.convert_to_tensor(shares, "float32"), ops.sum(one_hot, axis=0))
    weights = ops.sum(one_hot * per_image, axis=-1)
    return tf.math.divide_no_nan(weights, ops.mean(weights))


def complement(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean of -log(1 - C_y): small where the class that was wanted is not recognised; 0.693147 at C_y = 0.5.

    Unlike -CE it is bounded below, and has no gradient left once C_y is 0.

    Args:
      logits: float32[n, k].
      labels: int32[n].

    Returns:
      float32 scalar.
    """
    others = ops.where(ops.one_hot(labels, logits.shape[-1], dtype="bool"), -1e9, logits)
    return ops.mean(ops.logsumexp(logits, axis=-1) - ops.logsumexp(others, axis=-1))


class Judged(NamedTuple):
    """What D is to tell apart.

    Attributes:
      real: float32[n, f], features of real images.
      real_classes: float32[n, k], one-hot.
      synthetic: float32[m, f], features of synthetic images.
      synthetic_classes: float32[m, k], one-hot.
    """

    real: Tensor
    real_classes: Tensor
    synthetic: Tensor
    synthetic_classes: Tensor


class Wasserstein:
    """S4's losses: cross-entropy for C, and for D a critic with a gradient penalty (Gulrajani et al., 2017)."""

    update = "critic"
    metrics = ("wasserstein_distance", "gradient_penalty")

    def recognition(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What C and F minimise: mean of -log C_y, of logits float32[n, k] and labels int32[n]."""
        return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))

    def hardness(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What G minimises against C."""
        return complement(logits, labels)

    def deception(self, scores: Tensor) -> Tensor:
        """What G minimises against D, of scores float32[n, 1] of its images."""
        return -ops.mean(scores)

    def judgement(
        self, judge: keras.Model, judged: Judged, shares: NDArray[np.float64], seed: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What D minimises.

        Args:
          judge: D.
          judged: as many real as synthetic images, image for image of the same classes.
          shares: float64[k], with which classes weigh on both sides.
          seed: int32[2].

        Returns:
          The loss, and `metrics`.
        """

        def critic(features: Tensor) -> Tensor:
            return judge([features, judged.real_classes], training=True)

        weights = pair_weights(judged.real_classes, shares)
        distance = ops.mean(weights * (critic(judged.real) - critic(judged.synthetic))[:, 0])
        penalty = gradient_penalty(critic, judged.real, judged.synthetic, seed)
        return GRADIENT_PENALTY * penalty - distance, dict(zip(self.metrics, (distance, penalty), strict=True))


class LeastSquares:
    """GAMO's losses: mean squares for all, D's targets uniform in 0.9..1 for real and 0..0.1 for synthetic images."""

    update = "discriminator"
    metrics = ACCURACY_METRICS

    def recognition(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What C and F minimise: mean of (softmax - one-hot)^2, of logits float32[n, k] and labels int32[n]."""
        return ops.mean(ops.square(ops.softmax(logits, axis=-1) - _one_hot(labels, logits)))

    def hardness(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What G minimises against C: the target is 1 for every class but its own."""
        return ops.mean(ops.square(ops.softmax(logits, axis=-1) - (1.0 - _one_hot(labels, logits))))

    def deception(self, scores: Tensor) -> Tensor:
        """What G minimises against D, of scores float32[n, 1] of its images."""
        return ops.mean(ops.square(ops.sigmoid(scores) - 1.0))

    def judgement(
        self, judge: keras.Model, judged: Judged, shares: NDArray[np.float64], seed: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What D minimises; see `Wasserstein`. The classes weigh as they were drawn, `shares` are not used."""
        real = judge([judged.real, judged.real_classes], training=True)
        synthetic = judge([judged.synthetic, judged.synthetic_classes], training=True)
        noise = 0.1 * tf.random.stateless_uniform([2, *real.shape], seed=seed, alg="philox")
        loss = ops.mean(ops.square(ops.sigmoid(real) - 0.9 - noise[0]))
        loss = loss + ops.mean(ops.square(ops.sigmoid(synthetic) - noise[1]))
        return loss, discriminator_accuracy(real, synthetic)


def _one_hot(labels: Tensor, logits: Tensor) -> Tensor:
    return ops.one_hot(labels, logits.shape[-1], dtype="float32")
