"""Convolutions of 3x3 fused with the doubling before them or the halving after them, for about half the work.

Doubling repeats each pixel, so a 3x3 kernel after it reads the same value up to four times: it is a transposed
convolution of stride 2 whose 4x4 kernel holds the sums. In the same way a convolution and an average over squares of
2x2 are one convolution of stride 2 with a 4x4 kernel. The functions and the weights are those of the separate layers.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from evenhand.models.networks.spectral_norm import SpectralConv2D

Tensor = Any


def _box_sum(kernel: Tensor) -> Tensor:
    """float[4, 4, i, o]: the sum of a 3x3 kernel at the four places of a square of 2x2."""
    for axis in (0, 1):
        before, after = ([(0, 0)] * 4 for _ in range(2))
        before[axis], after[axis] = (1, 0), (0, 1)
        kernel = ops.pad(kernel, before) + ops.pad(kernel, after)
    return kernel


def _halving_kernel(kernel: Tensor) -> Tensor:
    return _box_sum(kernel) / 4.0


def _halved_shape(input_shape: tuple[int | None, ...], filters: int) -> tuple[int | None, ...]:
    number, *sides, _ = input_shape
    return number, *(None if side is None else -(-side // 2) for side in sides), filters


@keras.saving.register_keras_serializable(package="evenhand")
class DoublingConv2D(keras.layers.Conv2D):
    """`Conv2D(filters, 3, padding="same")` of the map with every pixel repeated to 2x2."""

    def call(self, inputs: Tensor) -> Tensor:
        """float[n, h, w, c] -> float[n, 2h, 2w, filters]."""
        kernel = _box_sum(ops.flip(ops.convert_to_tensor(self.kernel), (0, 1)))
        outputs = ops.conv_transpose(inputs, ops.swapaxes(kernel, 2, 3), strides=2, padding="same")
        return outputs + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Twice as high and wide."""
        number, height, width, _ = input_shape
        return number, None if height is None else 2 * height, None if width is None else 2 * width, self.filters


@keras.saving.register_keras_serializable(package="evenhand")
class HalvingConv2D(keras.layers.Conv2D):
    """`Conv2D(filters, 3, padding="same")` and an average over squares of 2x2; an odd edge is filled up with zeros."""

    def call(self, inputs: Tensor) -> Tensor:
        """float[n, h, w, c] -> float[n, h / 2, w / 2, filters], rounded up."""
        return ops.conv(inputs, _halving_kernel(ops.convert_to_tensor(self.kernel)), 2, "same") + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Half as high and wide, rounded up."""
        return _halved_shape(input_shape, self.filters)


@keras.saving.register_keras_serializable(package="evenhand")
class SpectralHalvingConv2D(SpectralConv2D):
    """`HalvingConv2D` whose 3x3 kernel is spectrally normalised."""

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """float[n, h, w, c] -> float[n, h / 2, w / 2, filters], rounded up."""
        kernel = _halving_kernel(self.normalized_kernel(training=training))
        return self._with_bias(ops.conv(inputs, kernel, 2, "same"))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Half as high and wide, rounded up."""
        return _halved_shape(input_shape, self.filters)
