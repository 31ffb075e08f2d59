"""Random geometric changes of a batch of images; stateless, so that a batch is a pure function of its seed."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from evenhand.config import Augmentation
from evenhand.data.projective import transform
from evenhand.data.rand_augment import rand_augment


def augment(images: Any, seed: Any, augmentation: Augmentation) -> Any:
    """Rotates, shifts, zooms and mirrors each image by its own random amounts, in one interpolation; then RandAugment.

    Args:
      images: float32[b, h, w, c].
      seed: int64[2]; equal seeds give equal changes.
      augmentation: the largest changes.

    Returns:
      float32[b, h, w, c]; what moves in from outside repeats the edge.
    """
    moved = _moved(images, seed, augmentation)
    if augmentation.rand_augment is None:
        return moved
    return rand_augment(moved, tf.random.experimental.stateless_fold_in(seed, 0), augmentation.rand_augment)


def _moved(images: Any, seed: Any, augmentation: Augmentation) -> Any:
    if not (augmentation.rotation or augmentation.shift or augmentation.zoom or augmentation.flip):
        return images
    shape = tf.shape(images)
    height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
    # Five numbers in [-1, 1) for each image.
    angle, down, right, scale, side = tf.unstack(tf.random.stateless_uniform([5, shape[0]], seed, -1.0, 1.0))
    angle *= math.radians(augmentation.rotation)
    scale = 1.0 + scale * augmentation.zoom
    mirrored = tf.where(side < 0, -1.0, 1.0) if augmentation.flip else tf.ones_like(side)
    transforms = _about_centre(
        cosine=tf.cos(angle) * scale,
        sine=tf.sin(angle) * scale,
        mirrored=mirrored,
        offset=(right * augmentation.shift * width, down * augmentation.shift * height),
        centre=((width - 1.0) / 2.0, (height - 1.0) / 2.0),
    )
    return transform(images, transforms)


def _about_centre(cosine: Any, sine: Any, mirrored: Any, offset: tuple[Any, Any], centre: tuple[Any, Any]) -> Any:
    """float32[b, 8]: output pixel (x, y) takes its value from the input at (a0 x + a1 y + a2, b0 x + b1 y + b2)."""
    (shift_x, shift_y), (centre_x, centre_y) = offset, centre
    a0, a1 = cosine * mirrored, -sine
    b0, b1 = sine * mirrored, cosine
    a2 = centre_x + shift_x - a0 * centre_x - a1 * centre_y
    b2 = centre_y + shift_y - b0 * centre_x - b1 * centre_y
    zero = tf.zeros_like(a0)
    return tf.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)
