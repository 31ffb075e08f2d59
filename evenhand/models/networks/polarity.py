"""The networks of `polarity_gan`: GAMO's mapping, discriminator, classifier and extractor, and the auto-encoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from evenhand.models.networks import seeded
from evenhand.models.networks.activations import in_float32

Tensor = Any

MAPPED = 64
"""Numbers that Q gives, the width of GAMO's last shared layer."""


def mapping(num_classes: int, latent_size: int, seeds: Iterator[int]) -> keras.Model:
    """Q of S4's equation 3: (latent float[n, z], one-hot class float[n, k]) -> float32[n, 64]."""
    latent, one_hot = keras.Input((latent_size,), name="latent"), keras.Input((num_classes,), name="one_hot")
    x = keras.layers.Concatenate()([latent, one_hot])
    for units in (256, MAPPED):
        x = keras.layers.Dense(units, activation="relu", kernel_initializer=seeded.he(next(seeds)))(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
    return keras.Model([latent, one_hot], in_float32(x), name="mapping")


def _two_layers(x: Tensor, seeds: Iterator[int]) -> Tensor:
    for units in (256, 128):
        x = keras.layers.Dense(units, kernel_initializer=seeded.glorot(next(seeds)))(x)
        x = keras.layers.LeakyReLU(negative_slope=0.1)(x)
    return x


def judge(feature_size: int, num_classes: int, seeds: Iterator[int]) -> keras.Model:
    """D: (features float[n, f], one-hot class float[n, k]) -> score float32[n, 1]; a sigmoid stands in the loss."""
    features, one_hot = keras.Input((feature_size,), name="features"), keras.Input((num_classes,), name="one_hot")
    x = _two_layers(keras.layers.Concatenate()([features, one_hot]), seeds)
    x = keras.layers.Dense(1, kernel_initializer=seeded.glorot(next(seeds)))(x)
    return keras.Model([features, one_hot], in_float32(x), name="discriminator")


def classifier(feature_size: int, num_classes: int, seeds: Iterator[int]) -> keras.Model:
    """C: features float[n, f] -> logits float32[n, k]; the softmax stands in the loss."""
    features = keras.Input((feature_size,), name="features")
    x = keras.layers.Dense(num_classes, kernel_initializer=seeded.glorot(next(seeds)))(_two_layers(features, seeds))
    return keras.Model(features, in_float32(x), name="classifier")


def _halvings(image_shape: tuple[int, int, int]) -> int:
    """Halvings until the longer side is at most 8, once at least: 28 gives 7, 32 gives 8."""
    side, number = max(image_shape[:2]), 0
    while side > 8 or not number:
        side, number = -(-side // 2), number + 1
    return number


def image_encoder(image_shape: tuple[int, int, int], width: int, size: int, seeds: Iterator[int]) -> keras.Model:
    """GAMO's extractor, and the auto-encoder's first half: float[n, h, w, c] -> float32[n, size] in (-1, 1)."""
    image = keras.Input(image_shape, name="image")
    x = image
    for _ in range(_halvings(image_shape)):
        x = keras.layers.Conv2D(width, 5, padding="same", activation="relu", kernel_initializer=seeded.he(next(seeds)))(
            x
        )
        x = keras.layers.AveragePooling2D(2, padding="same")(x)
    x = keras.layers.Dense(size, kernel_initializer=seeded.glorot(next(seeds)))(keras.layers.Flatten()(x))
    return keras.Model(image, keras.layers.Activation("tanh", dtype="float32")(x), name="encoder")


def code_extractor(code_size: int, size: int, seeds: Iterator[int]) -> keras.Model:
    """The extractor on codes: float[n, code] -> float32[n, size] in (-1, 1), GAMO's last layer alone."""
    code = keras.Input((code_size,), name="code")
    x = keras.layers.Dense(size, kernel_initializer=seeded.glorot(next(seeds)))(code)
    return keras.Model(code, keras.layers.Activation("tanh", dtype="float32")(x), name="extractor")


def decoder(image_shape: tuple[int, int, int], width: int, size: int, seeds: Iterator[int]) -> keras.Model:
    """The auto-encoder's second half: float[n, size] -> float32[n, h, w, c] in [-1, 1].

    Starts where the encoder ends, doubles the map as often as that halves it, and crops.
    """
    height, image_width, channels = image_shape
    doublings = _halvings(image_shape)
    factor = 2**doublings
    start = (-(-height // factor), -(-image_width // factor))
    code = keras.Input((size,), name="code")
    x = keras.layers.Dense(
        start[0] * start[1] * 2 * width, activation="relu", kernel_initializer=seeded.he(next(seeds))
    )(code)
    x = keras.layers.Reshape((*start, 2 * width))(x)
    for _ in range(doublings):
        x = keras.layers.UpSampling2D()(x)
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu", kernel_initializer=seeded.he(next(seeds)))(
            x
        )
    x = keras.layers.Conv2D(channels, 3, padding="same", kernel_initializer=seeded.glorot(next(seeds)))(x)
    x = keras.layers.Cropping2D(((0, factor * start[0] - height), (0, factor * start[1] - image_width)))(x)
    return keras.Model(code, keras.layers.Activation("tanh", dtype="float32")(x), name="decoder")


def refiner(shape: tuple[int, ...], width: int, seeds: Iterator[int]) -> keras.Model:
    """A change of points, float[n, *shape] -> float32[n, *shape] in (-1, 1), 0 at first.

    Convolutions for images, dense layers for codes.
    """
    point = keras.Input(shape, name="point")
    x = point
    is_image = len(shape) == 3
    for _ in range(2):
        initializer = seeded.he(next(seeds))
        layer = (
            keras.layers.Conv2D(width, 3, padding="same", activation="relu", kernel_initializer=initializer)
            if is_image
            else keras.layers.Dense(8 * width, activation="relu", kernel_initializer=initializer)
        )
        x = layer(x)
    last = (
        keras.layers.Conv2D(shape[-1], 3, padding="same", kernel_initializer="zeros")
        if is_image
        else keras.layers.Dense(shape[-1], kernel_initializer="zeros")
    )
    return keras.Model(point, keras.layers.Activation("tanh", dtype="float32")(last(x)), name="refiner")


class Players(NamedTuple):
    """The networks besides G.

    Attributes:
      encoder: the auto-encoder's first half, image -> code, and `decoder`, its second.
      extractor: F, of images or of codes.
      classifier: C, and `discriminator`, D, both on what F gives.
    """

    encoder: keras.Model
    decoder: keras.Model
    extractor: keras.Model
    classifier: keras.Model
    discriminator: keras.Model


def players(
    image_shape: tuple[int, int, int], num_classes: int, width: int, size: int, *, is_code: bool, seeds: Iterator[int]
) -> Players:
    """Builds them, with codes and features of `size` numbers; `is_code` says what F reads."""
    return Players(
        image_encoder(image_shape, width, size, seeds),
        decoder(image_shape, width, size, seeds),
        code_extractor(size, size, seeds) if is_code else image_encoder(image_shape, width, size, seeds),
        classifier(size, num_classes, seeds),
        judge(size, num_classes, seeds),
    )
