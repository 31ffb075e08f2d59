"""The networks of `bagan`: an encoder and a discriminator on the same trunk, and the decoder that becomes G."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

Tensor = Any

TRUNK = "trunk"
"""Name of the layers that encoder and discriminator share in kind, and after the warm-up in weights."""


@dataclass(frozen=True)
class Size:
    """Widths of the networks.

    Attributes:
      latent_size: numbers in a latent.
      hidden: units of G's first dense layer.
      start: channels of G's smallest map.
      middle: filters of G below half the image's size.
      last: filters of G at the image's size.
      kernel: side of G's convolutions.
      trunk: filters of the two convolutions of each halving; the last pair serves all further ones.
    """

    latent_size: int
    hidden: int
    start: int
    middle: int
    last: int
    kernel: int
    trunk: tuple[tuple[int, int], ...]


SIZES = {
    "paper": Size(100, 1024, 128, 256, 128, 5, ((32, 64), (128, 256), (256, 256))),
    "small": Size(48, 256, 64, 48, 32, 3, ((24, 32), (48, 64), (64, 64))),
}


def _halvings(image_shape: tuple[int, int, int]) -> int:
    """Halvings until the longer side is at most 8, once at least: 28 gives 7, 32 gives 8."""
    side, number = max(image_shape[:2]), 0
    while side > 8 or not number:
        side, number = -(-side // 2), number + 1
    return number


def _glorot(seeds: Iterator[int]) -> keras.initializers.Initializer:
    return keras.initializers.GlorotNormal(seed=next(seeds))


def _uniform(seeds: Iterator[int]) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=next(seeds))


def generator(image_shape: tuple[int, int, int], size: Size, seeds: Iterator[int]) -> keras.Model:
    """BAGAN's decoder: latent float[n, z] -> float32[n, h, w, c] in [-1, 1]; no layer has a bias.

    Sides that are not a multiple of the smallest map's are rounded up and cropped.
    """
    height, width, channels = image_shape
    doublings = _halvings(image_shape)
    factor = 2**doublings
    start = (-(-height // factor), -(-width // factor))
    latent = keras.Input((size.latent_size,), name="latent")
    x = latent
    for units in (size.hidden, size.start * start[0] * start[1]):
        x = keras.layers.Dense(units, activation="relu", use_bias=False, kernel_initializer=_uniform(seeds))(x)
    x = keras.layers.Reshape((*start, size.start))(x)
    for level in reversed(range(doublings)):
        filters = size.middle if level else size.last
        x = keras.layers.UpSampling2D()(x)
        x = keras.layers.Conv2D(
            filters, size.kernel, padding="same", activation="relu", use_bias=False, kernel_initializer=_glorot(seeds)
        )(x)
    x = keras.layers.Conv2D(channels, 2, padding="same", use_bias=False, kernel_initializer=_glorot(seeds))(x)
    extra = (factor * start[0] - height, factor * start[1] - width)
    if any(extra):
        x = keras.layers.Cropping2D(((0, extra[0]), (0, extra[1])))(x)
    return keras.Model(latent, keras.layers.Activation("tanh", dtype="float32")(x), name="generator")


def trunk_with_head(
    image_shape: tuple[int, int, int], size: Size, units: int, dropout: float, name: str, seeds: Iterator[int]
) -> keras.Model:
    """BAGAN's encoder (units: of a latent) or discriminator (units: classes and one for synthetic images).

    Args:
      image_shape: height, width, channels.
      size: widths.
      units: numbers that the linear head gives.
      dropout: after each convolution.
      name: of the network.
      seeds: for initialisers and dropout.

    Returns:
      float[n, h, w, c] -> float32[n, units].
    """
    image = keras.Input(image_shape, name="image")
    x = image
    for level in range(_halvings(image_shape)):
        for index, filters in enumerate(size.trunk[min(level, len(size.trunk) - 1)]):
            stride = 2 if index == 0 else 1
            x = keras.layers.Conv2D(
                filters, 3, stride, "same", kernel_initializer=_glorot(seeds), name=f"{TRUNK}_{level}_{index}"
            )(x)
            x = keras.layers.LeakyReLU(negative_slope=0.3)(x)
            x = keras.layers.Dropout(dropout, seed=next(seeds))(x)
    x = keras.layers.Dense(units, kernel_initializer=_uniform(seeds), name="head")(keras.layers.Flatten()(x))
    return keras.Model(image, keras.layers.Activation("linear", dtype="float32")(x), name=name)


def copy_trunk(source: keras.Model, target: keras.Model) -> None:
    """Gives the convolutions of `target` the weights of those of `source`; the heads stay as they are."""
    for layer in source.layers:
        if layer.name.startswith(TRUNK):
            target.get_layer(layer.name).set_weights(layer.get_weights())
