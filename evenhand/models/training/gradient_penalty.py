"""The gradient penalty that keeps a Wasserstein critic's slope near 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Tensor = Any


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, synthetic: Tensor, seed: Tensor) -> Tensor:
    """Mean of (|gradient of the critic| - 1)^2 between real and synthetic images (Gulrajani et al., 2017, equation 3).

    Each pair is mixed by a share of its own, uniform in [0, 1). The gradient passes through, so a training step that
    minimises the penalty takes second derivatives. A critic with batch normalisation would couple the images, which
    this penalty does not allow for.

    Args:
      critic: gives float[n] or float[n, 1] scores of its argument; the classes it is conditioned on are its own
        affair, but must fit both images of a pair.
      real: float[n, ...].
      synthetic: of the same shape.
      seed: int32[2], of the shares.

    Returns:
      float32 scalar, without a weight (10 in the paper).
    """
    real, synthetic = tf.cast(real, tf.float32), tf.cast(synthetic, tf.float32)
    axes = list(range(1, real.shape.rank))
    share = tf.random.stateless_uniform([tf.shape(real)[0], *[1] * len(axes)], seed=seed, alg="philox")
    mixed = real + share * (synthetic - real)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(mixed)
        total = tf.reduce_sum(tf.cast(critic(mixed), tf.float32))
    squares = tf.reduce_sum(tf.square(tape.gradient(total, mixed)), axis=axes)
    # The root's slope is infinite at 0, where a constant critic would give NaN.
    return tf.reduce_mean(tf.square(tf.sqrt(squares + 1e-12) - 1.0))
