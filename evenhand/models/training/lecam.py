"""LeCam regularisation: a discriminator may not stray far from what it has thought of the other kind of images.

Tseng et al., Regularizing Generative Adversarial Networks under Limited Data, 2021, equations 4 and 5, with the
one-sided distance of its code.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

Tensor = Any


class LeCam(keras.layers.Layer):
    """Running means of the logits of real and of synthetic images, and the penalty on logits beyond them.

    The means belong to the networks of the discriminator's update, so that the training loop holds them still in the
    generator's.

    Args:
      decay: share of the old means that is kept in a step.
    """

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__(dtype="float32")
        self.decay = decay
        self.real_mean, self.synthetic_mean = (
            self.add_weight(name=name, shape=(), initializer="zeros", trainable=False)
            for name in ("real_mean", "synthetic_mean")
        )
        self.built = True

    def call(self, real: Tensor, synthetic: Tensor) -> Tensor:
        """E[relu(D(x) - a_F)^2] + E[relu(a_R - D(G(z)))^2], with a_R and a_F the means so far.

        Args:
          real: float[n], D(x).
          synthetic: float[n], D(G(z)).

        Returns:
          float32 scalar, without a weight (0.3 for CIFAR in the paper).
        """
        real, synthetic = ops.cast(real, "float32"), ops.cast(synthetic, "float32")
        above = ops.mean(ops.square(ops.relu(real - self.synthetic_mean)))
        return above + ops.mean(ops.square(ops.relu(self.real_mean - synthetic)))

    def follow(self, real: Tensor, synthetic: Tensor) -> None:
        """Moves the means towards those of a batch."""
        context = tf.distribute.get_replica_context()
        for mean, logits in ((self.real_mean, real), (self.synthetic_mean, synthetic)):
            batch = ops.mean(ops.cast(ops.stop_gradient(logits), "float32"))
            batch = context.all_reduce(tf.distribute.ReduceOp.MEAN, batch)
            mean.assign(self.decay * mean + (1.0 - self.decay) * batch)
