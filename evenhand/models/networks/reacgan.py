"""The networks of `reacgan`: BigGAN's residual generator and discriminator, at any size of image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import keras
from keras import ops

from evenhand.models.networks.conditional_norm import ConditionalBatchNormalization
from evenhand.models.networks.spectral_norm import SpectralConv2D, SpectralDense

Tensor = Any
Size = Literal["small", "paper"]

_NORM = {"epsilon": 1e-4, "momentum": 0.9}


@dataclass(frozen=True)
class Blocks:
    """The blocks of both networks; widths are multiples of one width.

    Attributes:
      generator: width of the first map, then of each block, all of which double height and width.
      discriminator: width of each block.
      halvings: how many of the discriminator's blocks, from the first on, halve height and width.
      attention: after which block of the generator and of the discriminator self-attention stands, from 1 on.
    """

    generator: tuple[int, ...]
    discriminator: tuple[int, ...]
    halvings: int
    attention: tuple[int, int]


_BLOCKS: dict[Size, dict[int, Blocks]] = {
    "paper": {
        28: Blocks((4, 4, 4), (2, 2, 2, 2), 2, (1, 1)),
        32: Blocks((4, 4, 4, 4), (2, 2, 2, 2), 2, (2, 1)),
        64: Blocks((16, 8, 4, 2, 1), (1, 2, 4, 8, 16), 4, (3, 1)),
        128: Blocks((16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 5, (4, 1)),
    },
    # Ours, with most of the work on small maps, and attention on those of 14 or 16 pixels.
    "small": {
        28: Blocks((4, 2, 1), (1, 2, 4), 2, (1, 1)),
        32: Blocks((4, 4, 2, 1), (1, 2, 4, 4), 3, (2, 1)),
        64: Blocks((8, 4, 4, 2, 1), (1, 2, 4, 4, 8), 4, (2, 2)),
        128: Blocks((8, 8, 4, 4, 2, 1), (1, 2, 4, 4, 8, 8), 5, (2, 3)),
    },
}


def table_size(image_shape: tuple[int, int, int]) -> int:
    """The smallest of 28, 32, 64 and 128 that the image fits in, 128 for larger ones: whose table it is built by."""
    longest = max(image_shape[:2])
    return next((size for size in _BLOCKS["paper"] if size >= longest), 128)


def blocks_for(image_shape: tuple[int, int, int], size: Size) -> Blocks:
    """The blocks for an image's size."""
    return _BLOCKS[size][table_size(image_shape)]


@keras.saving.register_keras_serializable(package="evenhand")
class ScalarGain(keras.layers.Layer):
    """Multiplies by one learnt number, which starts at 0: what stands before it comes in gradually."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Adds the number."""
        self.gain = self.add_weight(shape=(), initializer="zeros", name="gain")

    def call(self, inputs: Tensor) -> Tensor:
        """float[...] -> float[...]."""
        return self.gain * inputs


class _Factory:
    """Makes layers with the initialisers of one network: orthogonal, each with a seed of its own."""

    def __init__(self, seeds: Iterator[int]) -> None:
        self._seeds = seeds

    def orthogonal(self) -> keras.initializers.Initializer:
        return keras.initializers.Orthogonal(seed=next(self._seeds))

    def convolve(self, x: Tensor, filters: int, kernel_size: int) -> Tensor:
        return SpectralConv2D(filters, kernel_size, kernel_initializer=self.orthogonal())(x)

    def mix(self, x: Tensor, filters: int, name: str) -> Tensor:
        return SpectralConv2D(filters, 1, use_bias=False, kernel_initializer=self.orthogonal(), name=name)(x)

    def dense(self, x: Tensor, units: int) -> Tensor:
        return SpectralDense(units, kernel_initializer=self.orthogonal())(x)

    def normalize(self, x: Tensor, condition: Tensor) -> Tensor:
        layer = ConditionalBatchNormalization(
            is_spectral=True, gain_initializer=self.orthogonal(), bias_initializer=self.orthogonal(), **_NORM
        )
        return layer([x, condition])

    def attend(self, x: Tensor) -> Tensor:
        """Self-attention of SAGAN (Zhang et al., 2019, section 3), with its code's pooled keys and values."""
        _, height, width, channels = x.shape
        narrow, middle = max(channels // 8, 1), max(channels // 2, 1)
        queries = keras.layers.Reshape((-1, narrow))(self.mix(x, narrow, "queries"))
        keys = keras.layers.Reshape((-1, narrow))(_max_pool(self.mix(x, narrow, "keys")))
        values = keras.layers.Reshape((-1, middle))(_max_pool(self.mix(x, middle, "values")))
        weights = keras.layers.Softmax(dtype="float32")(keras.layers.Dot((2, 2))([queries, keys]))
        read = keras.layers.Reshape((height, width, middle))(keras.layers.Dot((2, 1))([weights, values]))
        return keras.layers.Add()([x, ScalarGain()(self.mix(read, channels, "read"))])

    def rise(self, x: Tensor, filters: int, condition: Tensor) -> Tensor:
        """A block of the generator: twice the height and width."""
        y = keras.layers.UpSampling2D()(_relu(self.normalize(x, condition)))
        y = self.convolve(y, filters, 3)
        y = self.convolve(_relu(self.normalize(y, condition)), filters, 3)
        # A convolution of one pixel and the repetition of pixels may change places, and so it is cheaper.
        return keras.layers.Add()([y, keras.layers.UpSampling2D()(self.convolve(x, filters, 1))])

    def fall(self, x: Tensor, filters: int, *, is_first: bool, halves: bool) -> Tensor:
        """A block of the discriminator; the first sees pixels, which no rectifier may cut."""
        y = self.convolve(x if is_first else _relu(x), filters, 3)
        y = self.convolve(_relu(y), filters, 3)
        if not halves and x.shape[-1] == filters:
            return keras.layers.Add()([x, y])
        # Here too, convolution and mean may change places.
        shortcut, y = (_mean_pool(x), _mean_pool(y)) if halves else (x, y)
        return keras.layers.Add()([y, self.convolve(shortcut, filters, 1)])


def _relu(x: Tensor) -> Tensor:
    return keras.layers.ReLU()(x)


def _mean_pool(x: Tensor) -> Tensor:
    return keras.layers.AveragePooling2D(2, padding="same")(x)


def _max_pool(x: Tensor) -> Tensor:
    return keras.layers.MaxPooling2D(2, padding="same")(x)


def generator_network(
    image_shape: tuple[int, int, int],
    classes: keras.layers.Embedding,
    blocks: Blocks,
    *,
    width: int,
    chunk_size: int,
    seeds: Iterator[int],
) -> keras.Model:
    """BigGAN's generator: (latent, label) -> float32[n, h, w, c] in [-1, 1].

    The latent is cut into as many chunks as there are blocks, and one. The first is mapped to the first map; each of
    the others, beside the one class embedding, conditions the normalisation of its block.

    Args:
      image_shape: height, width, channels. The first map is so large that after the doublings the image fits in; what
        is too much is cut off.
      classes: the class embedding.
      blocks: of the network.
      width: the unit of width.
      chunk_size: numbers in a chunk.
      seeds: for the initialisers.
    """
    factory = _Factory(seeds)
    height, image_width, channels = image_shape
    first, *widths = (width * multiple for multiple in blocks.generator)
    start = tuple(-(-side // 2 ** len(widths)) for side in (height, image_width))
    latent = keras.Input((chunk_size * (len(widths) + 1),), name="latent")
    label = keras.Input((), dtype="int32", name="label")
    embedded = classes(label)
    chunks = ops.split(latent, len(widths) + 1, axis=1)
    x = keras.layers.Reshape((*start, first))(factory.dense(chunks[0], start[0] * start[1] * first))
    for number, (filters, chunk) in enumerate(zip(widths, chunks[1:], strict=True), start=1):
        x = factory.rise(x, filters, keras.layers.Concatenate()([embedded, chunk]))
        if number == blocks.attention[0]:
            x = factory.attend(x)
    x = _relu(keras.layers.BatchNormalization(**_NORM)(x))
    pixels = keras.layers.Activation("tanh", dtype="float32")(factory.convolve(x, channels, 3))
    extra = (pixels.shape[1] - height, pixels.shape[2] - image_width)
    if any(extra):
        pixels = keras.layers.Cropping2D(((0, extra[0]), (0, extra[1])), dtype="float32")(pixels)
    return keras.Model([latent, label], pixels, name="generator")


def discriminator_network(
    image_shape: tuple[int, int, int], blocks: Blocks, width: int, embedding_size: int, seeds: Iterator[int]
) -> keras.Model:
    """BigGAN's discriminator with ReACGAN's heads: image -> (logit float32[n], embedding float32[n, d]).

    It does not read the class: that stands in the embedding, of any length here, as `d2d_cross_entropy` makes it 1.

    Args:
      image_shape: height, width, channels.
      blocks: of the network.
      width: the unit of width.
      embedding_size: d.
      seeds: for the initialisers.
    """
    factory = _Factory(seeds)
    image = keras.Input(image_shape, name="image")
    x = image
    for number, multiple in enumerate(blocks.discriminator, start=1):
        x = factory.fall(x, width * multiple, is_first=number == 1, halves=number <= blocks.halvings)
        if number == blocks.attention[1]:
            x = factory.attend(x)
    last_map = keras.layers.Activation("relu", dtype="float32", name="last_map")(x)
    features = ops.sum(last_map, axis=(1, 2))
    logit = keras.layers.Reshape((), dtype="float32")(factory.dense(features, 1))
    embedding = keras.layers.Activation("linear", dtype="float32")(factory.dense(features, embedding_size))
    return keras.Model(image, [logit, embedding], name="discriminator")
