"""Layers with one set of weights, an expert, for each class or group of classes, all trained side by side.

An image goes through the expert of its class. The weights of all experts stand in one array, the expert first; a batch
gathers a kernel for each image and multiplies patches by kernels once, so that the number of experts changes neither
the number of operations nor the work. Where one expert does for all images, an ordinary convolution does it.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

Tensor = Any

_NOT = [0, 0]


def take(weight: keras.Variable, rows: Tensor) -> Tensor:
    """Rows of a weight, with a gradient that is an array as the weight is and no list of slices.

    Args:
      weight: float[e, ...].
      rows: int32[n] or int32[].

    Returns:
      float[n, ...] or float[...].
    """
    return _rows(tf.convert_to_tensor(ops.convert_to_tensor(weight)), rows)


@tf.custom_gradient
def _rows(stacked: Tensor, rows: Tensor) -> Any:
    def gradient(upstream: Tensor) -> tuple[Tensor, None]:
        return tf.math.unsorted_segment_sum(upstream, rows, tf.shape(stacked)[0]), None

    return tf.gather(stacked, rows), gradient


class _Experts(keras.layers.Layer):
    """Kernels and biases of the experts.

    Args:
      number: of experts.
      kernel: shape of one kernel.
      units: numbers in one bias.
      variance: kernels start as N(0, variance), biases as 0.
      seed: of the kernels.
    """

    def __init__(self, number: int, kernel: tuple[int, ...], units: int, variance: float, seed: int) -> None:
        super().__init__()
        self.units = units
        self.kernel = self.add_weight(
            name="kernel",
            shape=(number, *kernel),
            initializer=keras.initializers.RandomNormal(0.0, variance**0.5, seed),
        )
        self.bias = self.add_weight(name="bias", shape=(number, units), initializer="zeros")
        self.built = True

    def call(self, x: Tensor, experts: Tensor) -> Tensor:
        """What the experts make of x, float[n, ...], by each image's own, int32[n], or one for all, int32[]."""
        kernel, bias = take(self.kernel, experts), take(self.bias, experts)
        if experts.shape.rank == 0:
            return self._one(x, kernel) + bias
        y = self._many(x, kernel)
        return y + tf.reshape(bias, [-1, *[1] * (y.shape.rank - 2), self.units])

    def _one(self, x: Tensor, kernel: Tensor) -> Tensor:
        raise NotImplementedError

    def _many(self, x: Tensor, kernel: Tensor) -> Tensor:
        raise NotImplementedError


class ExpertDense(_Experts):
    """A dense layer for each expert: float[n, inputs] to float[n, units].

    Args:
      number: of experts.
      inputs: numbers that come in.
      units: numbers that come out.
      gain: the kernels' variance times `inputs`; 2 before a rectifier.
      seed: of the kernels.
    """

    def __init__(self, number: int, inputs: int, units: int, *, gain: float, seed: int) -> None:
        super().__init__(number, (inputs, units), units, gain / inputs, seed)

    def _one(self, x: Tensor, kernel: Tensor) -> Tensor:
        return tf.matmul(x, kernel)

    def _many(self, x: Tensor, kernel: Tensor) -> Tensor:
        return tf.matmul(x[:, None, :], kernel)[:, 0]


class ExpertHalving(_Experts):
    """A 4x4 convolution with stride 2 for each expert: float[n, 2 h, 2 w, channels] to float[n, h, w, filters].

    A kernel's row a = 2 q + r stands at (q, r), its columns likewise: the rows 2 (i + q) + r are what blocks of two
    rows, each moved up by q blocks, hold.

    Args:
      number: of experts.
      channels: that come in.
      filters: that come out.
      seed: of the kernels.
    """

    def __init__(self, number: int, channels: int, filters: int, *, seed: int) -> None:
        # (q of rows, q of columns, r of rows, r of columns, channel, filter).
        super().__init__(number, (2, 2, 2, 2, channels, filters), filters, 2.0 / (16 * channels), seed)

    def _one(self, x: Tensor, kernel: Tensor) -> Tensor:
        kernel = tf.transpose(kernel, [0, 2, 1, 3, 4, 5])
        return tf.nn.conv2d(x, tf.reshape(kernel, [4, 4, -1, self.units]), 2, "SAME")

    def _many(self, x: Tensor, kernel: Tensor) -> Tensor:
        _, height, width, channels = x.shape
        height, width = height // 2, width // 2
        blocks = tf.nn.space_to_depth(tf.pad(x, [_NOT, [1, 1], [1, 1], _NOT]), 2)
        moved = [blocks[:, i : i + height, j : j + width] for i in (0, 1) for j in (0, 1)]
        patches = tf.reshape(tf.concat(moved, axis=-1), [-1, height * width, 16 * channels])
        y = tf.matmul(patches, tf.reshape(kernel, [-1, 16 * channels, self.units]))
        return tf.reshape(y, [-1, height, width, self.units])


class ExpertDoubling(_Experts):
    """A 4x4 transposed convolution with stride 2 for each expert: float[n, h, w, c] to float[n, 2 h, 2 w, filters].

    The row 2 i + r that comes out hears the rows i + r - 1 + q that come in, through the kernel's row 3 - 2 q - r,
    which stands at (q, r); columns likewise.

    Args:
      number: of experts.
      channels: that come in.
      filters: that come out.
      seed: of the kernels.
    """

    def __init__(self, number: int, channels: int, filters: int, *, seed: int) -> None:
        # (q of rows, q of columns, channel, r of rows, r of columns, filter).
        super().__init__(number, (2, 2, channels, 2, 2, filters), filters, 2.0 / (4 * channels), seed)

    def _one(self, x: Tensor, kernel: Tensor) -> Tensor:
        _, height, width, channels = x.shape
        kernel = tf.reshape(tf.transpose(kernel, [0, 3, 1, 4, 5, 2]), [4, 4, self.units, channels])[::-1, ::-1]
        shape = [2 * height, 2 * width, self.units]
        y = tf.nn.conv2d_transpose(x, kernel, [tf.shape(x)[0], *shape], 2, "SAME")
        return tf.ensure_shape(y, [None, *shape])

    def _many(self, x: Tensor, kernel: Tensor) -> Tensor:
        _, height, width, channels = x.shape
        x = tf.pad(x, [_NOT, [1, 1], [1, 1], _NOT])
        moved = [x[:, i : i + height + 1, j : j + width + 1] for i in (0, 1) for j in (0, 1)]
        patches = tf.reshape(tf.concat(moved, axis=-1), [-1, (height + 1) * (width + 1), 4 * channels])
        y = tf.matmul(patches, tf.reshape(kernel, [-1, 4 * channels, 4 * self.units]))
        y = tf.split(tf.reshape(y, [-1, height + 1, width + 1, 4 * self.units]), 4, axis=-1)
        phases = [y[2 * i + j][:, i : i + height, j : j + width] for i in (0, 1) for j in (0, 1)]
        return tf.nn.depth_to_space(tf.concat(phases, axis=-1), 2)


class ExpertProjection(_Experts):
    """A 3x3 convolution to a few filters for each expert: float[n, h, w, channels] to float[n, h, w, filters].

    Args:
      number: of experts.
      channels: that come in.
      filters: that come out; being few, they are computed for each of the nine places and then added up.
      seed: of the kernels.
    """

    def __init__(self, number: int, channels: int, filters: int, *, seed: int) -> None:
        # (channel, row, column, filter).
        super().__init__(number, (channels, 3, 3, filters), filters, 1.0 / (9 * channels), seed)

    def _one(self, x: Tensor, kernel: Tensor) -> Tensor:
        return tf.nn.conv2d(x, tf.transpose(kernel, [1, 2, 0, 3]), 1, "SAME")

    def _many(self, x: Tensor, kernel: Tensor) -> Tensor:
        _, height, width, channels = x.shape
        flat = tf.reshape(x, [-1, height * width, channels])
        y = tf.matmul(flat, tf.reshape(kernel, [-1, channels, 9 * self.units]))
        y = tf.pad(tf.reshape(y, [-1, height, width, 9 * self.units]), [_NOT, [1, 1], [1, 1], _NOT])
        places = tf.split(y, 9, axis=-1)
        return tf.add_n([places[3 * i + j][:, i : i + height, j : j + width] for i in range(3) for j in range(3)])
