"""Random changes of what a discriminator sees, real and synthetic alike, through which gradients pass.

A discriminator with few real images soon knows them by heart; one that sees each displaced at random does not, and
since synthetic images are displaced by the same law, the generator does not learn the displacement (Zhao et al.,
Differentiable Augmentation for Data-Efficient GAN Training, 2020).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import tensorflow as tf
from keras import ops

Tensor = Any

Policy = tuple[Literal["flip", "color", "translation", "cutout"], ...]
"""Which changes are made, in this order whatever their order there; empty for none."""

_SHIFT, _CUTOUT = 0.125, 0.5
_COLOR_SEED, _TRANSLATION_SEED, _CUTOUT_SEED, _FLIP_SEED = 1, 2, 3, 4
_fold = tf.random.experimental.stateless_fold_in


def augment(images: Tensor, policy: Policy, seed: Tensor) -> Tensor:
    """The three changes of the paper, with its code's ranges, and mirroring.

    `color`: brightness by up to 0.5 either way, saturation by a factor of 0 to 2 (nothing to a grey image), contrast by
    one of 0.5 to 1.5. `translation`: by any number of pixels up to an eighth of the size, rounded (4 of 28), all alike
    often. `cutout`: a square of half the size set to 0, its
    centre anywhere. Where the paper's code fills displaced edges with 0, mid grey, ours repeats the edge: on a plain
    background no frame appears. `flip` mirrors half the images left-right, and then the generator may draw mirrored
    ones: wrong for digits and hand signs, and in no default.

    Args:
      images: float[n, h, w, c] in [-1, 1].
      policy: which.
      seed: int32[2].

    Returns:
      float[n, h, w, c]; colour may take values out of [-1, 1].
    """
    if "flip" in policy:
        images = flip(images, _fold(seed, _FLIP_SEED))
    if "color" in policy:
        images = _color(images, _fold(seed, _COLOR_SEED))
    if "translation" in policy:
        images = _translation(images, _fold(seed, _TRANSLATION_SEED))
    if "cutout" in policy:
        images = _cutout(images, _fold(seed, _CUTOUT_SEED))
    return images


def _color(images: Tensor, seed: Tensor) -> Tensor:
    shape = [3, tf.shape(images)[0], 1, 1, 1]
    brightness, saturation, contrast = tf.unstack(
        tf.cast(tf.random.stateless_uniform(shape, seed=seed, alg="philox"), images.dtype)
    )
    images = images + (brightness - 0.5)
    grey = ops.mean(images, axis=-1, keepdims=True)
    images = grey + (images - grey) * (2.0 * saturation)
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * (contrast + 0.5)


def flip(images: Tensor, seed: Tensor) -> Tensor:
    """Mirrors each image left-right or not, by a coin of its own; float[n, h, w, c], seed int32[2]."""
    coins = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed, alg="philox")
    return tf.where(coins < 0.5, images[:, :, ::-1], images)


def _cutout(images: Tensor, seed: Tensor) -> Tensor:
    _, height, width, _ = images.shape
    centres = tf.random.stateless_uniform([2, tf.shape(images)[0]], seed=seed, alg="philox")
    rows, columns = _covered(centres[0], height), _covered(centres[1], width)
    keep = 1.0 - rows[:, :, None, None] * columns[:, None, :, None]
    return images * ops.cast(keep, images.dtype)


def _covered(centres: Tensor, size: int) -> Tensor:
    """float32[n, size]: 1 within the square's reach along one axis; a square near the edge is cut off by it."""
    length = int(size * _CUTOUT + 0.5)
    first = ops.floor(centres * (size + 1 - length % 2)) - length // 2
    place = ops.arange(size, dtype="float32")[None, :] - first[:, None]
    return ops.cast((place >= 0) & (place < length), "float32")


def _translation(images: Tensor, seed: Tensor) -> Tensor:
    places = tf.random.stateless_uniform([2, tf.shape(images)[0]], seed=seed, alg="philox")
    most = np.array([[int(size * _SHIFT + 0.5)] for size in images.shape[1:3]])
    down, right = tf.unstack(ops.floor(places * (2 * most + 1)) - most)
    return _displaced(images, down, right)


def translate(images: Tensor, share: float, seed: Tensor) -> Tensor:
    """Displaces each image by its own part of its size down and to the right, rounded to pixels; the edge is repeated.

    Args:
      images: float[n, h, w, c].
      share: the largest displacement either way, as a share of height and width.
      seed: int32[2].

    Returns:
      float[n, h, w, c].
    """
    _, height, width, _ = images.shape
    number = ops.shape(images)[0]
    moves = tf.random.stateless_uniform([2, number], seed=seed, minval=-1.0, maxval=1.0, alg="philox")
    return _displaced(images, ops.round(moves[0] * share * height), ops.round(moves[1] * share * width))


def _displaced(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Matrix products with shifted unit matrices rather than gathers: exact, and their gradient is fast everywhere."""
    _, height, width, _ = images.shape
    rows = _shifted_identity(down, height, images.dtype)
    columns = _shifted_identity(right, width, images.dtype)
    return ops.einsum("nij,njkc,nlk->nilc", rows, images, columns)


def _shifted_identity(shifts: Tensor, size: int, dtype: Any) -> Tensor:
    """[n, size, size]: row i takes pixel i - shift, or the edge."""
    sources = ops.clip(ops.arange(size)[None, :] - ops.cast(shifts, "int32")[:, None], 0, size - 1)
    return ops.one_hot(sources, size, dtype=dtype)
