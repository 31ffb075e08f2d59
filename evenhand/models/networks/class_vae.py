"""The encoders and decoders of `class_vae`: a set of weights for each expert, a scale and a shift for each class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from evenhand.models.networks.experts import ExpertDense, ExpertDoubling, ExpertHalving, ExpertProjection, take

Tensor = Any

LOG_VARIANCES = (-8.0, 4.0)
"""Least and largest logarithm of a latent's variance."""

_FIRST_VARIANCE = 0.1


@dataclass(frozen=True)
class Sizes:
    """What the networks are built for.

    Attributes:
      image_shape: height, width, channels.
      num_classes: classes.
      num_experts: sets of weights.
      is_class_aware: whether every layer of expert 0 has a scale and a shift for each class besides.
      latent_size: numbers in a latent; None takes 16 for 28 pixels, 32 for 32 and 64 for 64.
      width: filters at half the image's size; twice as many each halving further down, at most 8 times.
    """

    image_shape: tuple[int, int, int]
    num_classes: int
    num_experts: int
    is_class_aware: bool
    latent_size: int | None = None
    width: int = 32

    @property
    def halvings(self) -> int:
        """So many that the smallest map's longer side is 4 to 7 pixels."""
        return max(max(self.image_shape[:2]).bit_length() - 3, 1)

    @property
    def latents(self) -> int:
        """Numbers in a latent."""
        return self.latent_size or 4 * 2**self.halvings

    @property
    def start(self) -> tuple[int, int]:
        """Height and width of the smallest map."""
        height, width, _ = self.image_shape
        factor = 2**self.halvings
        return -(-height // factor), -(-width // factor)

    @property
    def widths(self) -> list[int]:
        """Filters from the largest map to the smallest."""
        return [self.width * min(2**level, 8) for level in range(self.halvings)]


class ClassAffine(keras.layers.Layer):
    """A scale and a shift of each class in the shared VAE, which is expert 0; they start as 1 and 0.

    Args:
      num_classes: classes.
      shape: of the numbers of a class; broadcasts over the features.
    """

    def __init__(self, num_classes: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.gain = self.add_weight(name="gain", shape=(num_classes, *shape), initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(num_classes, *shape), initializer="zeros")
        self.built = True

    def call(self, x: Tensor, labels: Tensor, experts: Tensor) -> Tensor:
        """x, float[n, ...], of classes and experts int32[n] or one int32[] for all; that of other experts as it is."""
        is_shared = ops.reshape(ops.cast(ops.equal(experts, 0), x.dtype), (-1, *[1] * (len(x.shape) - 1)))
        return x * (1.0 + is_shared * take(self.gain, labels)) + is_shared * take(self.bias, labels)


class _Network(keras.layers.Layer):
    """Layers with weights of experts, each followed by what its class adds."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.steps: list[keras.layers.Layer] = []
        self.affines: list[keras.layers.Layer] = []
        self.built = True

    def _add(self, layer: keras.layers.Layer, shape: tuple[int, ...]) -> None:
        self.steps.append(layer)
        if self.sizes.is_class_aware:
            self.affines.append(ClassAffine(self.sizes.num_classes, shape))

    def _step(self, index: int, x: Tensor, labels: Tensor, experts: Tensor) -> Tensor:
        x = self.steps[index](x, experts)
        return self.affines[index](x, labels, experts) if self.affines else x


class Encoder(_Network):
    """Convolutions with stride 2, leaky rectifiers, and a dense layer that gives a Gaussian of latents.

    Args:
      sizes: what it is built for.
      seeds: for the initialisers.
    """

    def __init__(self, sizes: Sizes, seeds: Iterator[int]) -> None:
        super().__init__(sizes)
        channels = sizes.image_shape[-1]
        for filters in sizes.widths:
            self._add(ExpertHalving(sizes.num_experts, channels, filters, seed=next(seeds)), (1, 1, filters))
            channels = filters
        flat, units = sizes.start[0] * sizes.start[1] * channels, 2 * sizes.latents
        self._add(ExpertDense(sizes.num_experts, flat, units, gain=1.0, seed=next(seeds)), (units,))

    def call(self, images: Tensor, labels: Tensor, experts: Tensor) -> tuple[Tensor, Tensor]:
        """Gaussians of latents.

        Args:
          images: float[n, h, w, c] in [-1, 1].
          labels: int32[n], or int32[] where all images are of one class.
          experts: int32[n], or int32[] where all have the same.

        Returns:
          float32[n, z] means and logarithms of variances, these within `LOG_VARIANCES`.
        """
        x = self._pad(ops.cast(images, self.compute_dtype))
        last = len(self.steps) - 1
        for index in range(last):
            x = ops.leaky_relu(self._step(index, x, labels, experts), 0.2)
        x = self._step(last, ops.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3])), labels, experts)
        means, log_variances = ops.split(ops.cast(x, "float32"), 2, axis=-1)
        return means, ops.clip(log_variances, *LOG_VARIANCES)

    def _pad(self, images: Tensor) -> Tensor:
        height, width, _ = self.sizes.image_shape
        factor = 2**self.sizes.halvings
        down, right = self.sizes.start[0] * factor - height, self.sizes.start[1] * factor - width
        return tf.pad(images, [[0, 0], [0, down], [0, right], [0, 0]], "SYMMETRIC") if down or right else images


class Decoder(_Network):
    """A dense layer, transposed convolutions with stride 2, a convolution and tanh; cropped to the image's size.

    Args:
      sizes: what it is built for.
      seeds: for the initialisers.
    """

    def __init__(self, sizes: Sizes, seeds: Iterator[int]) -> None:
        super().__init__(sizes)
        number = sizes.num_experts
        channels = sizes.widths[-1]
        units = sizes.start[0] * sizes.start[1] * channels
        self._add(ExpertDense(number, sizes.latents, units, gain=2.0, seed=next(seeds)), (units,))
        for filters in (*sizes.widths[-2::-1], sizes.width):
            self._add(ExpertDoubling(number, channels, filters, seed=next(seeds)), (1, 1, filters))
            channels = filters
        filters = sizes.image_shape[-1]
        self._add(ExpertProjection(number, channels, filters, seed=next(seeds)), (1, 1, filters))

    def call(self, latents: Tensor, labels: Tensor, experts: Tensor) -> Tensor:
        """Images float32[n, h, w, c] in [-1, 1] of latents float[n, z], with labels and experts as in `Encoder`."""
        height, width, _ = self.sizes.image_shape
        x = ops.leaky_relu(self._step(0, ops.cast(latents, self.compute_dtype), labels, experts), 0.2)
        x = ops.reshape(x, (-1, *self.sizes.start, self.sizes.widths[-1]))
        last = len(self.steps) - 1
        for index in range(1, last):
            x = ops.leaky_relu(self._step(index, x, labels, experts), 0.2)
        return ops.tanh(ops.cast(self._step(last, x, labels, experts), "float32"))[:, :height, :width]


class PixelVariance(keras.layers.Layer):
    """The variance s^2 of a pixel about what is decoded, and with it the reconstruction's part of the loss.

    Args:
      num_classes: classes.
      variance: a number for all, or `learned`: one for each class, from 0.1 on.
    """

    def __init__(self, num_classes: int, variance: float | Literal["learned"]) -> None:
        super().__init__(dtype="float32")
        self.variance = variance
        if variance == "learned":
            start = keras.initializers.Constant(float(np.log(_FIRST_VARIANCE)))
            self.log_variance = self.add_weight(name="log_variance", shape=(num_classes,), initializer=start)
        self.built = True

    def call(self, squares: Tensor, labels: Tensor, *, numbers: int) -> Tensor:
        """Minus the logarithm of a Gaussian's density but for a constant, float32[n].

        Args:
          squares: float32[n], each image's sum of squared errors.
          labels: int32[n].
          numbers: in an image, h w c.
        """
        if self.variance != "learned":
            return squares / (2.0 * self.variance)
        log_variance = take(self.log_variance, labels)
        return (squares * ops.exp(-log_variance) + numbers * log_variance) / 2.0
