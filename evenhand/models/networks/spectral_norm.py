"""Layers whose kernel is divided by its largest singular value (Miyato et al., Spectral Normalization, 2018).

The kernel, reshaped to a matrix W of one column for each output, is used as W / sigma with sigma = v W u. The unit
vectors u and v come from power iteration, one step in each call in training, as in PyTorch and in the code of BigGAN
and ReACGAN: v = W u / |W u|, u = v W / |v W|. They count as constants, so the gradient passes through sigma by W alone.
A kernel may not start as zeros: it would have no direction.

Keras' own `SpectralNormalization` overwrites the kernel itself in each such call instead: its gradient ignores sigma,
and a discriminator that merely judges in the generator's turn is changed. Here only u changes, a weight that is not
trained: the training loop puts it back in the updates of other networks.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any
Initializer = Any  # an initialiser, its name or its configuration

_EPSILON = 1e-6


class _SpectralLayer(keras.layers.Layer):
    """Keeps a kernel, its bias if any, and u; subclasses say what is done with the normalised kernel."""

    def _add_weights(self, kernel_shape: tuple[int, ...], initializer: Initializer, *, use_bias: bool) -> None:
        # Sigma is found in full precision, whatever the layer computes in.
        self.kernel = self.add_weight(shape=kernel_shape, initializer=initializer, autocast=False, name="kernel")
        self.bias = self.add_weight(shape=kernel_shape[-1:], initializer="zeros", name="bias") if use_bias else None
        self.u = self.add_weight(
            shape=(kernel_shape[-1], 1),
            # Another seed than the kernel's, so that u is not a column of it; the same in every run.
            initializer=keras.initializers.RandomNormal(stddev=1.0, seed=kernel_shape[-1]),
            trainable=False,
            autocast=False,
            name="u",
        )

    def normalized_kernel(self, *, training: bool = False) -> Tensor:
        """The kernel over its largest singular value, in the layer's compute type.

        Args:
          training: take a step of power iteration first, and keep it.
        """
        kernel = ops.convert_to_tensor(self.kernel)
        matrix = kernel if len(kernel.shape) == 2 else ops.reshape(kernel, (-1, kernel.shape[-1]))
        # The vectors are columns; a running average of u is a little short of length 1.
        u = ops.convert_to_tensor(self.u) if training else _unit(ops.convert_to_tensor(self.u))
        product = ops.matmul(matrix, u)
        v = _unit(product)
        if training:
            product = ops.matmul(ops.reshape(v, (1, -1)), matrix)
            u = _unit(product)
            self.u.assign(ops.reshape(u, (-1, 1)))
        # One of the two unit vectors times their product with the matrix, through which the gradient passes.
        sigma = ops.sum(product * (u if training else v))
        return ops.cast(kernel / sigma, self.compute_dtype)

    def _with_bias(self, outputs: Tensor) -> Tensor:
        return outputs if self.bias is None else outputs + self.bias


def _unit(vector: Tensor) -> Tensor:
    vector = ops.stop_gradient(vector)
    return vector * ops.rsqrt(ops.maximum(ops.sum(ops.square(vector)), _EPSILON**2))


@keras.saving.register_keras_serializable(package="evenhand")
class SpectralDense(_SpectralLayer):
    """A dense layer with a spectrally normalised kernel, without activation.

    Args:
      units: size of the output.
      use_bias: add a bias, which starts at 0.
      kernel_initializer: of the kernel [inputs, units].
      **options: of `keras.layers.Layer`.
    """

    def __init__(
        self, units: int, *, use_bias: bool = True, kernel_initializer: Initializer = "orthogonal", **options: Any
    ) -> None:
        super().__init__(**options)
        self.units, self.use_bias = units, use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Adds the weights."""
        self._add_weights((input_shape[-1], self.units), self.kernel_initializer, use_bias=self.use_bias)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """float[..., inputs] -> float[..., units]."""
        return self._with_bias(ops.matmul(inputs, self.normalized_kernel(training=training)))

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """That of the inputs but for the last axis."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for copies of the layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="evenhand")
class SpectralConv2D(_SpectralLayer):
    """A convolution with a spectrally normalised kernel, without activation.

    Args:
      filters: channels of the output.
      kernel_size: height and width of the kernel.
      strides: of the convolution.
      padding: `same` or `valid`.
      use_bias: add a bias, which starts at 0.
      kernel_initializer: of the kernel [height, width, channels, filters].
      **options: of `keras.layers.Layer`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        *,
        strides: int = 1,
        padding: str = "same",
        use_bias: bool = True,
        kernel_initializer: Initializer = "orthogonal",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides
        self.padding, self.use_bias = padding, use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Adds the weights."""
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
        self._add_weights(shape, self.kernel_initializer, use_bias=self.use_bias)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """float[n, h, w, channels] -> float[n, h', w', filters]."""
        kernel = self.normalized_kernel(training=training)
        return self._with_bias(ops.conv(inputs, kernel, self.strides, self.padding))

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int | None, ...]:
        """One place for each that the kernel stops at."""
        reach = 0 if self.padding == "same" else self.kernel_size - 1
        sides = (None if side is None else -(-(side - reach) // self.strides) for side in input_shape[1:-1])
        return (input_shape[0], *sides, self.filters)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for copies of the layer."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def class_proxies(num_classes: int, size: int, seed: int) -> SpectralEmbedding:
    """ReACGAN's proxies: a vector of each class, orthogonal at first, in float32 whatever the precision; built."""
    proxies = SpectralEmbedding(
        num_classes, size, embeddings_initializer=keras.initializers.Orthogonal(seed=seed), dtype="float32"
    )
    proxies.build()
    return proxies


@keras.saving.register_keras_serializable(package="evenhand")
class SpectralEmbedding(_SpectralLayer):
    """A table of vectors, one a class, that is spectrally normalised as a whole.

    Args:
      input_dim: rows, one for each class.
      output_dim: length of a vector.
      embeddings_initializer: of the table [input_dim, output_dim].
      **options: of `keras.layers.Layer`.
    """

    def __init__(
        self, input_dim: int, output_dim: int, *, embeddings_initializer: Initializer = "orthogonal", **options: Any
    ) -> None:
        super().__init__(**options)
        self.input_dim, self.output_dim = input_dim, output_dim
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)

    def build(self, input_shape: tuple[int, ...] = ()) -> None:
        """Adds the weights."""
        self._add_weights((self.input_dim, self.output_dim), self.embeddings_initializer, use_bias=False)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """int[...] -> float[..., output_dim]."""
        return ops.take(self.normalized_kernel(training=training), inputs, axis=0)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """One vector for each class."""
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for copies of the layer."""
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }
