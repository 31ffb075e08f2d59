"""Depthwise convolutions of maps that are smaller than their kernel, computed as the sums of products that they are.

oneDNN's gradient of such a kernel takes 6 to 16 ms where this takes 1: half of a training step of EfficientNetV2-B0 at
32 px, whose last maps are of 2x2 pixels and of one.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from evenhand.models.training.stand_in import StandIn


class SmallDepthwise(StandIn):
    """What a depthwise convolution of a few pixels computes, one for which `is_small` is true."""

    def __init__(self, convolution: keras.layers.DepthwiseConv2D) -> None:
        super().__init__(convolution)
        before = _map_before(convolution)
        self._map_after = convolution.compute_output_shape((None, *before, 1))[1:3]
        self._meetings = meetings(before, self._map_after, convolution.kernel_size, convolution.strides)

    def call(self, inputs: Any) -> Any:
        """float[n, h, w, c] -> float[n, h', w', c]."""
        layer, channels = self.layer, inputs.shape[-1]
        kernel = ops.reshape(ops.convert_to_tensor(layer.kernel), (-1, channels))
        # float[p, q, c]: by what output pixel p multiplies input pixel q.
        factors = ops.tensordot(ops.convert_to_tensor(self._meetings, dtype=kernel.dtype), kernel, axes=1)
        pixels = ops.reshape(inputs, (-1, 1, factors.shape[1], channels))
        outputs = ops.reshape(ops.sum(pixels * factors, axis=2), (-1, *self._map_after, channels))
        if layer.use_bias:
            outputs = outputs + layer.bias
        return layer.activation(outputs)


def meetings(
    before: tuple[int, int], after: tuple[int, int], kernel: tuple[int, int], strides: tuple[int, int]
) -> NDArray[np.float32]:
    """Which number of a kernel output pixel p has for input pixel q, with the padding `same`.

    Args:
      before: height and width of the input.
      after: of the output.
      kernel: of the kernel.
      strides: down and to the right.

    Returns:
      float32[p, q, k] of zeros and ones, rows before columns in each.
    """
    rows, columns = map(_meetings_along, before, after, kernel, strides)
    both = np.einsum("pqk,rsl->prqskl", rows, columns)
    return both.reshape(after[0] * after[1], before[0] * before[1], kernel[0] * kernel[1])


def _meetings_along(before: int, after: int, kernel: int, stride: int) -> NDArray[np.float32]:
    """float32[after, before, kernel] of one side."""
    padding = max((after - 1) * stride + kernel - before, 0) // 2
    numbers = np.arange(before)[None, :, None] - np.arange(after)[:, None, None] * stride + padding
    return (numbers == np.arange(kernel)).astype(np.float32)


def is_small(layer: keras.layers.Layer) -> bool:
    """Whether it is a depthwise convolution of maps of which a side is shorter than the kernel's."""
    return (
        type(layer) is keras.layers.DepthwiseConv2D
        and layer.depth_multiplier == 1
        and layer.padding == "same"
        and tuple(layer.dilation_rate) == (1, 1)
        and layer.data_format == "channels_last"
        and None not in _map_before(layer)
        and any(side < size for side, size in zip(_map_before(layer), layer.kernel_size, strict=True))
    )


def _map_before(layer: keras.layers.DepthwiseConv2D) -> tuple[int, int]:
    height, width = layer.get_build_config()["input_shape"][1:3]
    return height, width
