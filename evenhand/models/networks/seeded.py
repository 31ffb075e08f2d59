"""Initialisers and latents that several generators share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Tensor = Any


def layer_seeds(seed: int) -> Iterator[int]:
    """An endless stream of seeds for the layers of one network, so that no two start alike."""
    numbers = np.random.default_rng(seed)
    while True:
        yield int(numbers.integers(2**31))


def torch_kernel(seed: int) -> keras.initializers.Initializer:
    """PyTorch's default for linear and convolutional kernels: uniform within 1 / sqrt(fan in)."""
    return keras.initializers.VarianceScaling(scale=1 / 3, mode="fan_in", distribution="uniform", seed=seed)


def torch_bias(fan_in: int, seed: int) -> keras.initializers.Initializer:
    """PyTorch's default for biases: uniform within 1 / sqrt(fan in) of the layer's kernel."""
    return keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5, seed=seed)


def dense(units: int, fan_in: int, seeds: Iterator[int]) -> keras.layers.Dense:
    """A dense layer that starts as PyTorch's does."""
    return keras.layers.Dense(
        units, kernel_initializer=torch_kernel(next(seeds)), bias_initializer=torch_bias(fan_in, next(seeds))
    )


def convolution(
    filters: int, kernel: int, stride: int, channels: int, seeds: Iterator[int], *, is_transposed: bool = False
) -> keras.layers.Layer:
    """A convolution with "same" padding that starts as PyTorch's does, on `channels` input channels."""
    layer = keras.layers.Conv2DTranspose if is_transposed else keras.layers.Conv2D
    # PyTorch takes the fan in of a transposed convolution from its output channels, and so does Keras.
    fan_in = kernel * kernel * (filters if is_transposed else channels)
    return layer(
        filters,
        kernel,
        stride,
        "same",
        kernel_initializer=torch_kernel(next(seeds)),
        bias_initializer=torch_bias(fan_in, next(seeds)),
    )


def he(seed: int) -> keras.initializers.Initializer:
    """He's normal initialiser, for layers before a rectifier."""
    return keras.initializers.HeNormal(seed=seed)


def glorot(seed: int) -> keras.initializers.Initializer:
    """Glorot's uniform initialiser."""
    return keras.initializers.GlorotUniform(seed=seed)


def orthogonal(seed: int) -> keras.initializers.Initializer:
    """An orthogonal matrix, or as much of one as the kernel's shape allows."""
    return keras.initializers.Orthogonal(seed=seed)


def label_embedding(num_classes: int, size: int, seeds: Iterator[int]) -> keras.layers.Embedding:
    """A label embedding that starts as PyTorch's does, N(0, 1); Keras' own default is 35 times weaker."""
    return keras.layers.Embedding(
        num_classes, size, embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=next(seeds))
    )


def latents_for_seeds(seeds: Tensor, size: int) -> Tensor:
    """Standard normal latents, float32[n, size]; each row depends on its own seed (int64[n]) alone."""

    def latent(seed: Tensor) -> Tensor:
        return tf.random.stateless_normal([size], seed=tf.stack([seed, tf.zeros_like(seed)]), alg="philox")

    return tf.map_fn(latent, seeds, fn_output_signature=tf.TensorSpec([size], tf.float32))


def latents_for_batch(size: int, labels: Tensor, seed: Tensor) -> Tensor:
    """Standard normal latents for a training batch, float32[n, size].

    Args:
      size: of a latent.
      labels: int32[n], for their number.
      seed: int32[2].
    """
    return tf.random.stateless_normal([tf.shape(labels)[0], size], seed=seed, alg="philox")
