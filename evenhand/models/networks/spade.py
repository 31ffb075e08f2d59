"""The generator network of `spade`: it reads pose maps in its normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import keras
from keras import ops

from evenhand.models.networks import seeded
from evenhand.models.networks.activations import leaky
from evenhand.models.networks.spectral_norm import SpectralConv2D

Tensor = Any
Kind = Literal["instance", "batch"]

_MOST = 8
"""The widest map has at most so many times the channels of the narrowest."""

_CLASS_SIZE = 16


@keras.saving.register_keras_serializable(package="evenhand")
class SpatialNormalization(keras.layers.Layer):
    """SPADE (Park et al., 2019, equation 1): normalisation whose gain and bias differ from place to place.

    `norm(x) * (1 + gamma(m) + gain(c)) + beta(m) + bias(c)`: a normalisation without parameters; gamma and beta are
    convolutions of 3x3 over one hidden layer that reads the map m; gain and bias are linear in a condition c, which is
    ours. Without c it is the paper's.

    Args:
      hidden: channels of the hidden layer.
      kind: normalise each image by itself (`instance`), or all of a batch together (`batch`).
      seed: of the initial kernels.
      **options: of `keras.layers.Layer`.
    """

    def __init__(self, hidden: int, *, kind: Kind = "instance", seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.hidden, self.kind, self.seed = hidden, kind, seed

    def build(self, input_shape: list[tuple[int, ...]]) -> None:
        """Builds the normalisation, the convolutions and, where there is a condition, its linear map."""
        seeds = seeded.layer_seeds(self.seed)
        images, maps, *conditions = input_shape
        channels = images[-1]
        settings: dict[str, Any] = {"dtype": self.dtype_policy}
        plain = {"epsilon": 1e-5, "center": False, "scale": False, **settings}
        self.normalization = (
            keras.layers.BatchNormalization(momentum=0.9, **plain)
            if self.kind == "batch"
            else keras.layers.GroupNormalization(groups=-1, **plain)
        )
        self.shared = keras.layers.Conv2D(
            self.hidden, 3, padding="same", activation="relu", kernel_initializer=seeded.he(next(seeds)), **settings
        )
        # Gamma and beta at once: twice the filters are quicker than twice the convolutions.
        self.gamma_beta = keras.layers.Conv2D(
            2 * channels, 3, padding="same", kernel_initializer=seeded.glorot(next(seeds)), **settings
        )
        self.normalization.build(images)
        self.shared.build(maps)
        self.gamma_beta.build((*maps[:-1], self.hidden))
        self.gain_bias = None
        if conditions:
            self.gain_bias = keras.layers.Dense(2 * channels, kernel_initializer=seeded.glorot(next(seeds)), **settings)
            self.gain_bias.build(conditions[0])

    def call(self, inputs: list[Tensor], training: bool = False) -> Tensor:
        """Normalises.

        Args:
          inputs: float[n, h, w, c], the map float[n, h, w, m] of the same size, and the condition float[n, d] if any.
          training: use and follow the statistics of the batch, not the running ones.

        Returns:
          float[n, h, w, c].
        """
        images, maps, *conditions = inputs
        gamma, beta = ops.split(self.gamma_beta(self.shared(maps)), 2, axis=-1)
        normal = self.normalization(images, **({"training": training} if self.kind == "batch" else {}))
        if self.gain_bias is None:
            return normal * (1.0 + gamma) + beta
        gain, bias = ops.split(ops.expand_dims(self.gain_bias(conditions[0]), (1, 2)), 2, axis=-1)
        return normal * (1.0 + gamma + gain) + beta + bias

    def compute_output_shape(self, input_shape: list[tuple[int, ...]]) -> tuple[int, ...]:
        """That of the images."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments, for copies of the layer."""
        return {**super().get_config(), "hidden": self.hidden, "kind": self.kind, "seed": self.seed}


def doublings(image_shape: tuple[int, int, int]) -> int:
    """Doublings from the smallest map, whose longer side is 4 to 7 pixels: 2, 3, 4, 5 for 28, 32, 64, 128."""
    return max(max(image_shape[:2]).bit_length() - 3, 1)


class _Painter:
    """Lays blocks that all read one pose map and one condition."""

    def __init__(self, condition: Tensor, hidden: int, kind: Kind, seeds: Iterator[int]) -> None:
        self.condition, self.hidden, self.kind, self.seeds = condition, hidden, kind, seeds

    def block(self, x: Tensor, maps: Tensor, filters: int) -> Tensor:
        """The paper's residual block: twice [SPADE, leaky rectifier, 3x3]; [SPADE, 1x1] beside where widths differ."""
        before = x.shape[-1]
        y = self._convolve(leaky(self._normalize(x, maps)), min(before, filters), 3)
        y = self._convolve(leaky(self._normalize(y, maps)), filters, 3)
        if before != filters:
            x = self._convolve(self._normalize(x, maps), filters, 1, use_bias=False)
        return keras.layers.Add()([x, y])

    def _normalize(self, x: Tensor, maps: Tensor) -> Tensor:
        layer = SpatialNormalization(self.hidden, kind=self.kind, seed=next(self.seeds))
        return layer([x, maps, self.condition])

    def _convolve(self, x: Tensor, filters: int, size: int, *, use_bias: bool = True) -> Tensor:
        kernel = seeded.orthogonal(next(self.seeds))
        return SpectralConv2D(filters, size, use_bias=use_bias, kernel_initializer=kernel)(x)


def generator_network(  # noqa: PLR0913 - the sizes of a network
    image_shape: tuple[int, int, int],
    map_channels: int,
    *,
    latent_size: int,
    num_classes: int,
    width: int,
    hidden: int,
    kind: Kind,
    seeds: Iterator[int],
) -> keras.Model:
    """(latent float[n, z], map float[n, h, w, m], label int32[n] if any) -> float32[n, h, w, c] in [-1, 1].

    One block at the smallest size, then one after each doubling. Smaller maps are the largest values of the map's
    squares, so that no key point is lost.

    Args:
      image_shape: height, width, channels; what the doubled map has too much at the bottom and right is cut off.
      map_channels: m.
      latent_size: z.
      num_classes: classes that the condition tells apart beside the latent; 0 takes no label.
      width: channels at full size, twice as many at each halving, at most eight times as many.
      hidden: channels of each SPADE layer's hidden layer.
      kind: of normalisation.
      seeds: for the initialisers.
    """
    height, image_width, channels = image_shape
    steps = doublings(image_shape)
    start = tuple(-(-side // 2**steps) for side in (height, image_width))
    extra = tuple(side * 2**steps - own for side, own in zip(start, (height, image_width), strict=True))
    latent = keras.Input((latent_size,), name="latent")
    maps = keras.Input((height, image_width, map_channels), name="map")
    label = keras.Input((), dtype="int32", name="label")
    condition = latent
    if num_classes:
        embedded = seeded.label_embedding(num_classes, _CLASS_SIZE, seeds)(label)
        condition = keras.layers.Concatenate()([latent, embedded])
    padded = keras.layers.ZeroPadding2D(((0, extra[0]), (0, extra[1])))(maps) if any(extra) else maps
    widths = [width * min(2**level, _MOST) for level in range(steps, -1, -1)]
    painter = _Painter(condition, hidden, kind, seeds)
    x = keras.layers.Dense(start[0] * start[1] * widths[0], kernel_initializer=seeded.glorot(next(seeds)))(condition)
    x = keras.layers.Reshape((*start, widths[0]))(x)
    for level, filters in zip(range(steps, -1, -1), widths, strict=True):
        x = x if level == steps else keras.layers.UpSampling2D()(x)
        x = painter.block(x, keras.layers.MaxPooling2D(2**level)(padded) if level else padded, filters)
    x = keras.layers.Conv2D(channels, 3, padding="same", kernel_initializer=seeded.glorot(next(seeds)))(leaky(x))
    x = keras.layers.Cropping2D(((0, extra[0]), (0, extra[1])))(x) if any(extra) else x
    inputs = [latent, maps, label] if num_classes else [latent, maps]
    return keras.Model(inputs, keras.layers.Activation("tanh", dtype="float32")(x), name="generator")
