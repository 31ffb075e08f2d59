"""The U-Net of DDPM++ as EDM configures it (Song et al., 2021; Karras et al., 2022, table 7), in any size.

Every level has residual blocks and a resampling block of its own, whose 2x2 means (down) or nearest neighbours (up)
come before its convolution. Sums of two branches are scaled by sqrt(1/2); the last convolution of every block and of
the network starts at 1e-5 of Glorot's range, so that an untrained network gives almost 0. Noise level, class and
augmentation enter each block as one embedding that is added before its second normalisation.

Ours, for processors without an accelerator: with `patch` 2 the network works on squares of 2x2 pixels as on channels,
so that even its widest map has half the image's size; maps change size between blocks; and the embedding also scales
(Dhariwal and Nichol, 2021, section 3). Any image size is padded to the next multiple that the levels need.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any

AUGMENTATION_SIZE = 9
"""Numbers that describe how an image was changed; see `non_leaking_augmentation`."""

_SKIP_SCALE = 0.5**0.5
_ALMOST_ZERO = 1e-10
_ATTENTION_SCALE = 0.2
_LONGEST_PERIOD = 10_000


@dataclass(frozen=True)
class UNetSize:
    """How large the network is.

    Attributes:
      width: filters at the first level.
      multipliers: filters of each level, in units of `width`; each level has half the size of the one before.
      blocks: residual blocks of each level on the way down; one more on the way up.
      patch: side of the squares of pixels that are channels to the network.
      attention_side: the first level whose longer side is no larger than this has self-attention in every block on the
        way down and in the last one on the way up; so has the middle, always.
      dropout: before the second convolution of a block.
      has_resampling_blocks: whether maps change size within blocks of their own, as in the paper, or between blocks.
      is_modulating: whether the embedding scales maps besides being added to them.
    """

    width: int
    multipliers: tuple[int, ...]
    blocks: int
    patch: int
    attention_side: int
    dropout: float
    has_resampling_blocks: bool = True
    is_modulating: bool = False


def unet(
    image_shape: tuple[int, int, int], num_classes: int, size: UNetSize, seeds: Iterator[int], *, is_augmented: bool
) -> keras.Model:
    """The network F: (image, condition, classes, augmentation) -> image.

    Args:
      image_shape: height, width, channels.
      num_classes: classes.
      size: of the network.
      seeds: for initialisers and dropout.
      is_augmented: whether it takes descriptions of augmentations.

    Returns:
      A model of float[n, h, w, c]; float32[n], what tells the noise level; float32[n, num_classes], one row per image
      with a 1 at its class or 0 everywhere for "any class"; and, if `is_augmented`, float32[n, 9], 0 for "unchanged".
      It gives float32[n, h, w, c].
    """
    image = keras.Input(image_shape, name="image")
    condition = keras.Input((), name="condition", dtype="float32")
    classes = keras.Input((num_classes,), name="classes", dtype="float32")
    inputs = [image, condition, classes]
    if is_augmented:
        inputs.append(keras.Input((AUGMENTATION_SIZE,), name="augmentation", dtype="float32"))
    builder = _Builder(size, seeds, _embedding(inputs[1:], size.width, seeds))
    pixels = builder.network(_patches(_padded(image, size), size.patch), image_shape[-1] * size.patch**2)
    pixels = _cropped(_pixels(pixels, size.patch), image_shape)
    return keras.Model(inputs, keras.layers.Activation("linear", dtype="float32")(pixels), name="unet")


class GroupNormalization(keras.layers.Layer):
    """Group normalisation (Wu and He, 2018) with EDM's groups: 32 at most, of 4 channels at least.

    Sums over pixels come first and the groups after, which on a processor takes half the time of Keras' own layer.
    Statistics are float32 in any precision.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epsilon = 1e-6

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes scale and offset, float[channels]."""
        channels = int(shape[-1] or 0)
        self.groups = max(count for count in range(1, min(32, max(channels // 4, 1)) + 1) if channels % count == 0)
        self.scale = self.add_weight(name="scale", shape=(channels,), initializer="ones")
        self.offset = self.add_weight(name="offset", shape=(channels,), initializer="zeros")

    def call(self, maps: Tensor) -> Tensor:
        """float[n, h, w, c] -> the same, normalised."""
        values = ops.cast(maps, "float32")
        mean = self._of_groups(ops.mean(values, axis=(1, 2)))
        variance = ops.maximum(self._of_groups(ops.mean(ops.square(values), axis=(1, 2))) - ops.square(mean), 0.0)
        by_group = (self.groups, maps.shape[-1] // self.groups)
        scale = ops.reshape(ops.cast(self.scale, "float32"), by_group) * ops.rsqrt(variance + self.epsilon)
        offset = ops.reshape(ops.cast(self.offset, "float32"), by_group) - mean * scale
        of_maps = (-1, 1, 1, maps.shape[-1])
        return ops.cast(values * ops.reshape(scale, of_maps) + ops.reshape(offset, of_maps), self.compute_dtype)

    def _of_groups(self, values: Tensor) -> Tensor:
        """float32[n, channels] -> float32[n, groups, 1], their means."""
        return ops.mean(ops.reshape(values, (-1, self.groups, values.shape[-1] // self.groups)), axis=-1, keepdims=True)


class Frequencies(keras.layers.Layer):
    """A number as cosines and sines of geometric frequencies from 1 down to 1/10000: float32[n] -> float32[n, size]."""

    def __init__(self, size: int) -> None:
        super().__init__(dtype="float32")
        half = max(size // 2, 2)
        self.frequencies = (_LONGEST_PERIOD ** -(np.arange(half) / (half - 1))).astype(np.float32)

    def call(self, values: Tensor) -> Tensor:
        """float32[n] -> float32[n, size]; sines first, as EDM has them."""
        angles = ops.cast(values, "float32")[:, None] * self.frequencies[None, :]
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


class Attention(keras.layers.Layer):
    """Every place looks at all others, one head: queries, keys and values float[n, p, 3c] -> float[n, p, c]."""

    def call(self, places: Tensor) -> Tensor:
        """Softmax in float32 in any precision."""
        queries, keys, values = ops.split(places, 3, axis=-1)
        scores = ops.cast(ops.matmul(queries, ops.transpose(keys, (0, 2, 1))), "float32") * keys.shape[-1] ** -0.5
        return ops.matmul(ops.cast(ops.softmax(scores), self.compute_dtype), values)


class _Builder:
    """Puts the layers of one network together; all its blocks share the embedding."""

    def __init__(self, size: UNetSize, seeds: Iterator[int], embedding: Tensor) -> None:
        self.size, self.seeds, self.embedding = size, seeds, embedding

    def network(self, maps: Tensor, channels: int) -> Tensor:
        size = self.size
        sides = [max(maps.shape[1:3]) >> level for level in range(len(size.multipliers))]
        attended = next((level for level, side in enumerate(sides) if side <= size.attention_side), None)
        maps = self._convolution(size.width, maps)
        skips = [maps]
        for level, multiplier in enumerate(size.multipliers):
            if level:
                maps = self._resampled(maps, keras.layers.AveragePooling2D(2))
                skips += [maps] if size.has_resampling_blocks else []
            for _ in range(size.blocks):
                maps = self._block(maps, size.width * multiplier, is_attended=level == attended)
                skips.append(maps)
        maps = self._block(self._block(maps, maps.shape[-1], is_attended=True), maps.shape[-1])
        for level, multiplier in reversed(list(enumerate(size.multipliers))):
            if level < len(size.multipliers) - 1:
                maps = self._resampled(maps, keras.layers.UpSampling2D())
            last = size.blocks - int(level > 0 and not size.has_resampling_blocks)
            for index in range(last + 1):
                maps = keras.layers.Concatenate()([maps, skips.pop()])
                maps = self._block(maps, size.width * multiplier, is_attended=index == last and level == attended)
        return self._convolution(channels, _activated(maps), scale=_ALMOST_ZERO)

    def _resampled(self, maps: Tensor, resample: keras.layers.Layer) -> Tensor:
        if self.size.has_resampling_blocks:
            return self._block(maps, maps.shape[-1], resample=resample)
        return resample(maps)

    def _block(
        self, maps: Tensor, filters: int, *, resample: keras.layers.Layer | None = None, is_attended: bool = False
    ) -> Tensor:
        inside, skip = _activated(maps), maps
        if resample is not None:
            inside, skip = resample(inside), resample(skip)
        if resample is not None or maps.shape[-1] != filters:
            skip = self._convolution(filters, skip, kernel=1)
        inside = self._convolution(filters, inside)
        inside = self._conditioned(inside)
        if self.size.dropout:
            inside = keras.layers.Dropout(self.size.dropout, seed=next(self.seeds))(inside)
        maps = _sum(self._convolution(filters, inside, scale=_ALMOST_ZERO), skip)
        return self._attended(maps) if is_attended else maps

    def _conditioned(self, maps: Tensor) -> Tensor:
        """Normalised, with the embedding, and activated."""
        shift = self._from_embedding(maps.shape[-1], "zeros")
        if not self.size.is_modulating:
            return _activated(keras.layers.Add()([maps, shift]))
        scale = self._from_embedding(maps.shape[-1], "ones")
        scaled = keras.layers.Multiply()([GroupNormalization()(maps), scale])
        return keras.layers.Activation("silu")(keras.layers.Add()([scaled, shift]))

    def _from_embedding(self, filters: int, start: str) -> Tensor:
        initializer = _glorot(next(self.seeds))
        numbers = keras.layers.Dense(filters, kernel_initializer=initializer, bias_initializer=start)(self.embedding)
        return keras.layers.Reshape((1, 1, filters))(numbers)

    def _attended(self, maps: Tensor) -> Tensor:
        _, height, width, channels = maps.shape
        places = self._convolution(3 * channels, GroupNormalization()(maps), kernel=1, scale=_ATTENTION_SCALE)
        seen = Attention()(keras.layers.Reshape((height * width, 3 * channels))(places))
        seen = keras.layers.Reshape((height, width, channels))(seen)
        return _sum(self._convolution(channels, seen, kernel=1, scale=_ALMOST_ZERO), maps)

    def _convolution(self, filters: int, maps: Tensor, *, kernel: int = 3, scale: float = 1.0) -> Tensor:
        initializer = _glorot(next(self.seeds), scale)
        return keras.layers.Conv2D(filters, kernel, padding="same", kernel_initializer=initializer)(maps)


def _embedding(inputs: list[Tensor], width: int, seeds: Iterator[int]) -> Tensor:
    condition, classes, *augmentation = inputs
    scaled = keras.layers.Rescaling(classes.shape[-1] ** 0.5)(classes)
    parts = [Frequencies(width)(condition), _dense(width, scaled, seeds)]
    parts += [_dense(width, each, seeds, use_bias=False) for each in augmentation]
    embedding = keras.layers.Add()(parts)
    for _ in range(2):
        embedding = keras.layers.Activation("silu")(_dense(4 * width, embedding, seeds))
    return embedding


def _dense(units: int, inputs: Tensor, seeds: Iterator[int], *, use_bias: bool = True) -> Tensor:
    return keras.layers.Dense(units, use_bias=use_bias, kernel_initializer=_glorot(next(seeds)))(inputs)


def _glorot(seed: int, scale: float = 1.0) -> keras.initializers.Initializer:
    """Glorot's uniform initialiser with `scale` times its variance."""
    return keras.initializers.VarianceScaling(scale, mode="fan_avg", distribution="uniform", seed=seed)


def _activated(maps: Tensor) -> Tensor:
    return keras.layers.Activation("silu")(GroupNormalization()(maps))


def _sum(inside: Tensor, skip: Tensor) -> Tensor:
    return keras.layers.Rescaling(_SKIP_SCALE)(keras.layers.Add()([inside, skip]))


def _padded(image: Tensor, size: UNetSize) -> Tensor:
    multiple = size.patch * 2 ** (len(size.multipliers) - 1)
    extra = [-length % multiple for length in image.shape[1:3]]
    return keras.layers.ZeroPadding2D(((0, extra[0]), (0, extra[1])))(image) if any(extra) else image


def _cropped(pixels: Tensor, image_shape: tuple[int, int, int]) -> Tensor:
    extra = (pixels.shape[1] - image_shape[0], pixels.shape[2] - image_shape[1])
    return keras.layers.Cropping2D(((0, extra[0]), (0, extra[1])))(pixels) if any(extra) else pixels


def _patches(image: Tensor, side: int) -> Tensor:
    """Squares of pixels as channels: [n, h, w, c] -> [n, h / side, w / side, side * side * c]."""
    if side == 1:
        return image
    _, height, width, channels = image.shape
    image = keras.layers.Reshape((height // side, side, width // side, side * channels))(image)
    return keras.layers.Reshape((height // side, width // side, side * side * channels))(
        keras.layers.Permute((1, 3, 2, 4))(image)
    )


def _pixels(maps: Tensor, side: int) -> Tensor:
    """What `_patches` did, undone."""
    if side == 1:
        return maps
    _, height, width, channels = maps.shape
    maps = keras.layers.Reshape((height, width, side, channels // side))(maps)
    return keras.layers.Reshape((height * side, width * side, channels // side**2))(
        keras.layers.Permute((1, 3, 2, 4))(maps)
    )
