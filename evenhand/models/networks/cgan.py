"""The networks of `cgan`: S3's perceptrons and its code's transposed convolutions, and a small convolutional pair."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from evenhand.models.networks import seeded

Tensor = Any

PERCEPTRONS = {
    "mlp_cgan_relu": (256, 512, 1024),
    "mlp_cgan_leaky": (256, 512, 1024),
    "small_mlp_cgan_leaky": (256, 512),
    "big_mlp_cgan_leaky": (256, 384, 512, 768, 1024),
}
"""Widths of the hidden layers of S3's four generators (figures 1 to 3)."""

_JUDGE_WIDTHS = (1024, 512, 256)


def _inputs(num_classes: int, latent_size: int, embedding_size: int, seeds: Iterator[int]) -> tuple[list[Any], Tensor]:
    latent = keras.Input((latent_size,), name="latent")
    label = keras.Input((), dtype="int32", name="label")
    embedded = seeded.label_embedding(num_classes, embedding_size, seeds)(label)
    return [latent, label], keras.layers.Concatenate()([latent, embedded])


def _image_model(inputs: list[Any], pixels: Tensor) -> keras.Model:
    return keras.Model(inputs, keras.layers.Activation("tanh", dtype="float32")(pixels), name="generator")


def _logit_model(inputs: list[Any], logits: Tensor) -> keras.Model:
    return keras.Model(inputs, keras.layers.Activation("linear", dtype="float32")(logits), name="discriminator")


def _batch_norm() -> keras.layers.Layer:
    # PyTorch's defaults: its momentum 0.1 is Keras' 0.9.
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def _crop(pixels: Tensor, height: int, width: int) -> Tensor:
    extra = (pixels.shape[1] - height, pixels.shape[2] - width)
    return keras.layers.Cropping2D(((0, extra[0]), (0, extra[1])))(pixels) if any(extra) else pixels


def perceptron_generator(
    variant: str, image_shape: tuple[int, int, int], num_classes: int, sizes: tuple[int, int], seeds: Iterator[int]
) -> keras.Model:
    """S3's generator: (latent float[n, z], label int[n]) -> float32[n, h, w, c] in [-1, 1].

    Args:
      variant: a key of `PERCEPTRONS`. The big one normalises by batch after the activation of its second layer and
        before that of its last, as S3's code does.
      image_shape: height, width, channels.
      num_classes: classes.
      sizes: of the latent and of the label embedding.
      seeds: for the initialisers.
    """
    inputs, x = _inputs(num_classes, *sizes, seeds)
    widths = PERCEPTRONS[variant]
    is_big = variant.startswith("big")
    for index, width in enumerate(widths):
        x = seeded.dense(width, x.shape[-1], seeds)(x)
        if is_big and index == len(widths) - 1:
            x = _batch_norm()(x)
        x = keras.layers.ReLU(negative_slope=0.0 if variant.endswith("relu") else 0.2)(x)
        if is_big and index == 1:
            x = _batch_norm()(x)
    height, width, channels = image_shape
    x = seeded.dense(height * width * channels, x.shape[-1], seeds)(x)
    return _image_model(inputs, keras.layers.Reshape(image_shape)(x))


def perceptron_discriminator(
    image_shape: tuple[int, int, int], num_classes: int, embedding_size: int, dropout: float, seeds: Iterator[int]
) -> keras.Model:
    """S3's discriminator, the same for all its generators: (image, label) -> logit float32[n, 1].

    Its sigmoid stands in the loss.
    """
    image = keras.Input(image_shape, name="image")
    label = keras.Input((), dtype="int32", name="label")
    embedded = seeded.label_embedding(num_classes, embedding_size, seeds)(label)
    x = keras.layers.Concatenate()([keras.layers.Flatten()(image), embedded])
    for width in _JUDGE_WIDTHS:
        x = seeded.dense(width, x.shape[-1], seeds)(x)
        x = keras.layers.LeakyReLU(negative_slope=0.2)(x)
        x = keras.layers.Dropout(dropout, seed=next(seeds))(x)
    return _logit_model([image, label], seeded.dense(1, x.shape[-1], seeds)(x))


def dccgan_generator(
    image_shape: tuple[int, int, int], num_classes: int, sizes: tuple[int, int], seeds: Iterator[int]
) -> keras.Model:
    """The convolutional generator of S3's code, started at a quarter of the image's size (7x7 for 28x28)."""
    height, width, channels = image_shape
    start = (-(-height // 4), -(-width // 4))
    inputs, x = _inputs(num_classes, *sizes, seeds)
    x = keras.layers.LeakyReLU(negative_slope=0.2)(seeded.dense(start[0] * start[1], x.shape[-1], seeds)(x))
    x = keras.layers.Reshape((*start, 1))(x)
    for filters, kernel, stride in ((128, 4, 2), (256, 4, 2), (128, 5, 1)):
        x = seeded.convolution(filters, kernel, stride, x.shape[-1], seeds, is_transposed=True)(x)
        x = keras.layers.LeakyReLU(negative_slope=0.2)(x)
    x = seeded.convolution(channels, 5, 1, x.shape[-1], seeds)(x)
    return _image_model(inputs, _crop(x, height, width))


def _doublings(image_shape: tuple[int, int, int]) -> int:
    # So many that the smallest map's longer side is 4 to 7 pixels.
    return max(max(image_shape[:2]).bit_length() - 3, 1)


def convolutional_generator(
    image_shape: tuple[int, int, int], num_classes: int, sizes: tuple[int, int], width: int, seeds: Iterator[int]
) -> keras.Model:
    """A small DCGAN generator with batch normalisation: (latent, label) -> float32[n, h, w, c] in [-1, 1].

    Starts from a map of 4 to 7 pixels and doubles it; `width` filters at half the image's size, twice as many each
    halving further down, at most 8 times.
    """
    height, image_width, channels = image_shape
    doublings = _doublings(image_shape)
    factor = 2**doublings
    start = (-(-height // factor), -(-image_width // factor))
    widths = [width * min(2**level, 8) for level in reversed(range(doublings))]
    inputs, x = _inputs(num_classes, *sizes, seeds)
    x = keras.layers.Dense(start[0] * start[1] * widths[0], kernel_initializer=seeded.he(next(seeds)))(x)
    x = keras.layers.ReLU()(_batch_norm()(keras.layers.Reshape((*start, widths[0]))(x)))
    for filters in widths[1:]:
        x = keras.layers.Conv2DTranspose(filters, 4, 2, "same", kernel_initializer=seeded.he(next(seeds)))(x)
        x = keras.layers.ReLU()(_batch_norm()(x))
    x = keras.layers.Conv2DTranspose(channels, 4, 2, "same", kernel_initializer=seeded.he(next(seeds)))(x)
    return _image_model(inputs, _crop(x, height, image_width))


def projection_discriminator(
    image_shape: tuple[int, int, int], num_classes: int, width: int, dropout: float, seeds: Iterator[int]
) -> keras.Model:
    """A small convolutional discriminator: (image, label) -> logit float32[n, 1].

    The class enters as an inner product of its embedding with the features (Miyato and Koyama, cGANs with Projection
    Discriminator, 2018, equation 4), which tells classes apart far sooner than an embedding beside the pixels.
    """
    image = keras.Input(image_shape, name="image")
    label = keras.Input((), dtype="int32", name="label")
    x = image
    for level in range(_doublings(image_shape)):
        filters = width * min(2**level, 8)
        x = keras.layers.Conv2D(filters, 4, 2, "same", kernel_initializer=seeded.he(next(seeds)))(x)
        x = keras.layers.LeakyReLU(negative_slope=0.2)(x)
        x = keras.layers.Dropout(dropout, seed=next(seeds))(x)
    features = keras.layers.Dense(8 * width, kernel_initializer=seeded.he(next(seeds)))(keras.layers.Flatten()(x))
    features = keras.layers.LeakyReLU(negative_slope=0.2)(features)
    classes = keras.layers.Embedding(
        num_classes, 8 * width, embeddings_initializer=keras.initializers.RandomNormal(stddev=0.1, seed=next(seeds))
    )(label)
    logits = keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)))(features)
    return _logit_model([image, label], keras.layers.Add()([logits, keras.layers.Dot(-1)([features, classes])]))
