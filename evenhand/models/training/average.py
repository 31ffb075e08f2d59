"""The running average of a network, which draws better images than the network itself at any one step."""

from __future__ import annotations

import keras
from keras import ops


class WeightAverage(keras.layers.Layer):
    """An exponential moving average of all weights of a network, batch statistics included.

    In the first steps it follows faster, with the decay (1 + t) / (10 + t) at step t, so that the random initial
    weights are soon forgotten and short runs profit too.

    Args:
      network: a functional or sequential model.
      decay: the share of the old average that is kept in a step, in [0, 1); the half-life is ln 2 / (1 - decay) steps.
    """

    def __init__(self, network: keras.Model, decay: float) -> None:
        super().__init__(trainable=False)
        self.decay = decay
        self.network = keras.models.clone_model(network)
        self.network.set_weights(network.get_weights())
        self.network.trainable = False
        self.built = True

    def follow(self, network: keras.Model, step: keras.Variable) -> None:
        """Moves the average towards `network`, after training step number `step` (from 0)."""
        done = ops.cast(step, "float32")
        pace = 1.0 - ops.minimum(self.decay, (1.0 + done) / (10.0 + done))
        for average, weight in zip(self.network.weights, network.weights, strict=True):
            average.assign_add(pace * (ops.cast(weight, average.dtype) - average))
