"""Batch normalisation whose gain and bias are read from a condition (BigGAN; Brock et al., 2019, appendix B)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from evenhand.models.networks.spectral_norm import Initializer, SpectralDense

Tensor = Any


@keras.saving.register_keras_serializable(package="evenhand")
class ConditionalBatchNormalization(keras.layers.Layer):
    """(1 + gain(condition)) * (x - mean) / deviation + bias(condition), with linear maps without bias for both.

    A condition that is a class as a one-hot vector gives each class a gain and a bias of its own.

    Args:
      is_spectral: spectrally normalise the two maps.
      gain_initializer: of the gain's kernel [condition, channels].
      bias_initializer: of the bias' kernel.
      epsilon: added to the variance.
      momentum: share of the old running statistics that is kept in a step.
      **options: of `keras.layers.Layer`.
    """

    def __init__(
        self,
        *,
        is_spectral: bool = False,
        gain_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "orthogonal",
        epsilon: float = 1e-4,
        momentum: float = 0.9,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.is_spectral, self.epsilon, self.momentum = is_spectral, epsilon, momentum
        self.gain_initializer = keras.initializers.get(gain_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.normalization = keras.layers.BatchNormalization(
            momentum=momentum, epsilon=epsilon, center=False, scale=False, dtype=self.dtype_policy
        )

    def build(self, input_shape: list[tuple[int, ...]]) -> None:
        """Builds the normalisation and the two maps."""
        images, condition = input_shape
        kind = SpectralDense if self.is_spectral else keras.layers.Dense
        self.gain, self.bias = (
            kind(images[-1], use_bias=False, kernel_initializer=initializer, dtype=self.dtype_policy, name=name)
            for name, initializer in (("gain", self.gain_initializer), ("bias", self.bias_initializer))
        )
        self.normalization.build(images)
        self.gain.build(condition)
        self.bias.build(condition)

    def call(self, inputs: list[Tensor], training: bool = False) -> Tensor:
        """Normalises.

        Args:
          inputs: float[n, h, w, c] and the condition float[n, d].
          training: use and follow the statistics of the batch, not the running ones.

        Returns:
          float[n, h, w, c].
        """
        images, condition = inputs
        gain = ops.expand_dims(self.gain(condition, training=training), (1, 2))
        bias = ops.expand_dims(self.bias(condition, training=training), (1, 2))
        return (1.0 + gain) * self.normalization(images, training=training) + bias

    def compute_output_shape(self, input_shape: list[tuple[int, ...]]) -> tuple[int, ...]:
        """That of the images."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments, for copies of the layer."""
        return {
            **super().get_config(),
            "is_spectral": self.is_spectral,
            "gain_initializer": keras.initializers.serialize(self.gain_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "epsilon": self.epsilon,
            "momentum": self.momentum,
        }
