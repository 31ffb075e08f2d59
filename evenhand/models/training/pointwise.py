"""Convolutions of one pixel, computed as the matrix products that they are.

On a CPU TensorFlow computes the gradients of every convolution by way of patches, also where a patch is a single pixel.
Most of EfficientNet's and ResNet's convolutions are such: as products, a training step of EfficientNetV2-B0 (32 px,
batches of 32, 2 cores) takes two thirds of its time.
"""

from __future__ import annotations

from typing import Any

import keras

from evenhand.models.training.stand_in import StandIn


class PixelwiseProduct(StandIn):
    """What a convolution of 1x1 pixels with stride 1 computes, one for which `is_pointwise` is true."""

    def call(self, inputs: Any) -> Any:
        """float[n, h, w, c] -> float[n, h, w, filters]."""
        kernel = keras.ops.convert_to_tensor(self.layer.kernel)
        outputs = keras.ops.matmul(inputs, keras.ops.reshape(kernel, kernel.shape[2:]))
        if self.layer.use_bias:
            outputs = outputs + self.layer.bias
        return self.layer.activation(outputs)


def is_pointwise(layer: keras.layers.Layer) -> bool:
    """Whether it is a plain convolution of single pixels."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.kernel_size == (1, 1)
        and layer.strides == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
    )
