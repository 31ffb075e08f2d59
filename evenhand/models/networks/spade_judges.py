"""The judges of `spade`: patches of image and pose together, and one whose embedding never sees the pose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from evenhand.models.networks import seeded
from evenhand.models.networks.activations import in_float32, leaky
from evenhand.models.networks.spectral_norm import SpectralConv2D, SpectralDense

Tensor = Any

_MOST = 8
"""The widest layer has at most so many times the channels of the narrowest."""

_SMALLEST_MAP = 4


def patch_judge(
    image_shape: tuple[int, int, int],
    map_channels: int,
    *,
    num_classes: int,
    width: int,
    num_layers: int,
    seeds: Iterator[int],
) -> keras.Model:
    """The PatchGAN of SPADE and pix2pixHD: (image beside map, label if any) -> its layers, the last of them the scores.

    `num_layers` convolutions of 4x4 with padding 2, the last of which does not halve, then one to the scores; all but
    the first and last with spectral and instance normalisation. A score sees 34 pixels with three layers, 70 with four.

    Args:
      image_shape: of what is judged; at half scale half the image's size.
      map_channels: of the pose map.
      num_classes: the class enters as an inner product of its embedding with the features of each patch; 0 takes no
        label.
      width: channels of the first layer, twice as many in each next one, at most eight times as many.
      num_layers: before the scores.
      seeds: for the initialisers.

    Returns:
      A model with `num_layers` + 1 outputs, float32[n, h', w', c'].
    """
    height, image_width, channels = image_shape
    both = keras.Input((height, image_width, channels + map_channels), name="image_and_map")
    label = keras.Input((), dtype="int32", name="label")
    x, layers = both, []
    for layer in range(num_layers):
        filters = width * min(2**layer, _MOST)
        x = keras.layers.ZeroPadding2D(2)(x)
        strides = 2 if layer < num_layers - 1 else 1
        if layer == 0:
            x = keras.layers.Conv2D(filters, 4, strides, kernel_initializer=seeded.glorot(next(seeds)))(x)
        else:
            kernel = seeded.orthogonal(next(seeds))
            x = SpectralConv2D(filters, 4, strides=strides, padding="valid", use_bias=False, kernel_initializer=kernel)(
                x
            )
            x = keras.layers.GroupNormalization(groups=-1, epsilon=1e-5, center=False, scale=False)(x)
        x = leaky(x)
        layers.append(in_float32(x))
    scores = keras.layers.Conv2D(1, 4, kernel_initializer=seeded.glorot(next(seeds)))(keras.layers.ZeroPadding2D(2)(x))
    scores = in_float32(scores)
    if num_classes:
        start = keras.initializers.RandomNormal(stddev=0.1, seed=next(seeds))
        embedded = keras.layers.Embedding(num_classes, x.shape[-1], embeddings_initializer=start)(label)
        features = ops.mean(layers[-1], axis=(1, 2))
        scores = scores + ops.sum(features * ops.cast(embedded, "float32"), axis=-1)[:, None, None, None]
    return keras.Model([both, label] if num_classes else [both], [*layers, scores], name="patch_judge")


def pose_judge(
    image_shape: tuple[int, int, int],
    map_channels: int,
    *,
    width: int,
    embedding_size: int,
    seeds: Iterator[int],
) -> keras.Model:
    """A residual judge with an embedding that never sees the pose.

    Blocks of [rectifier, 3x3, rectifier, 3x3, mean of 2x2] with shortcuts, spectrally normalised, down to maps of four
    pixels, then one that does not halve. The pose enters the score alone, as the sum over places of the inner product
    of features and map, both by convolutions of 1x1.

    Args:
      image_shape: height, width, channels.
      map_channels: of the pose map.
      width: channels of the first block, twice as many in each next one, at most eight times as many.
      embedding_size: d.
      seeds: for the initialisers.

    Returns:
      (image, map) -> score float32[n, 1], embedding float32[n, d].
    """
    image = keras.Input(image_shape, name="image")
    maps = keras.Input((*image_shape[:2], map_channels), name="map")
    x, poses, level = image, maps, 0
    while max(x.shape[1:3]) > _SMALLEST_MAP:
        x = _judging_block(x, width * min(2**level, _MOST), seeds, is_first=level == 0, halves=True)
        poses = keras.layers.MaxPooling2D(2, padding="same")(poses)
        level += 1
    x = keras.layers.ReLU()(_judging_block(x, x.shape[-1], seeds, is_first=False, halves=False))
    features = ops.sum(in_float32(x), axis=(1, 2))
    seen, asked = (
        SpectralConv2D(x.shape[-1], 1, use_bias=False, kernel_initializer=seeded.orthogonal(next(seeds)))(part)
        for part in (x, poses)
    )
    agreement = ops.sum(in_float32(seen) * in_float32(asked), axis=(1, 2, 3))[:, None]
    score = in_float32(SpectralDense(1, kernel_initializer=seeded.orthogonal(next(seeds)))(features)) + agreement
    embedding = SpectralDense(embedding_size, kernel_initializer=seeded.orthogonal(next(seeds)))(features)
    return keras.Model([image, maps], [score, in_float32(embedding)], name="pose_judge")


def _judging_block(x: Tensor, filters: int, seeds: Iterator[int], *, is_first: bool, halves: bool) -> Tensor:
    def convolve(inputs: Tensor, size: int) -> Tensor:
        return SpectralConv2D(filters, size, kernel_initializer=seeded.orthogonal(next(seeds)))(inputs)

    # The first sees pixels, which no rectifier may cut.
    y = convolve(x if is_first else keras.layers.ReLU()(x), 3)
    y = convolve(keras.layers.ReLU()(y), 3)
    if halves:
        x, y = (keras.layers.AveragePooling2D(2, padding="same")(part) for part in (x, y))
    if x.shape[-1] != filters:
        x = convolve(x, 1)
    return keras.layers.Add()([x, y])


def proxy_network(inputs: int, embedding_size: int, seeds: Iterator[int]) -> keras.Model:
    """Normalised key points float[n, inputs] -> the embedding that an image of that pose should have, float32[n, d]."""
    pose = keras.Input((inputs,), name="pose")
    x = leaky(keras.layers.Dense(embedding_size, kernel_initializer=seeded.he(next(seeds)))(pose))
    x = keras.layers.Dense(embedding_size, kernel_initializer=seeded.glorot(next(seeds)))(x)
    return keras.Model(pose, in_float32(x), name="proxies")
