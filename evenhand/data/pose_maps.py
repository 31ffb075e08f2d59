"""Poses as images: one channel for each key point, and one for each bone if wanted.

Key points stand where the hand is in the image: nothing is centred on the wrist, since image and pose must agree.
"""

from __future__ import annotations

from typing import Any, Literal

import tensorflow as tf

from evenhand.data.pose import BONES, NUM_KEYPOINTS
from evenhand.data.pose_variation import found

Tensor = Any
Mark = Literal["gaussian", "disk"]

_SIZE_OF_RADIUS_1 = 32


def num_channels(*, bones: bool) -> int:
    """Channels of a pose map: 21, or 41 with bones."""
    return NUM_KEYPOINTS + (len(BONES) if bones else 0)


def pose_maps(keypoints: Tensor, height: int, width: int, *, mark: Mark = "gaussian", bones: bool = False) -> Tensor:
    """Draws key points where they are in the image, each in its own channel.

    With x and y as shares, a key point lies at (x * width - 0.5, y * height - 0.5) of a grid of pixel centres. The
    radius r is height / 32, at least one pixel; a Gaussian is exp(-d^2 / (2 r^2)) at distance d, a disk 1 up to d = r.
    A bone is the same of the distance from the line between its two key points.

    Args:
      keypoints: float32[n, 21, 3]; those of a confidence under 0.1 leave their channels 0, and those of their bones.
      height: of the map in pixels.
      width: of the map in pixels.
      mark: what is drawn.
      bones: 20 more channels with the bones.

    Returns:
      float32[n, height, width, 21 or 41] in [0, 1].
    """
    radius = max(1.0, height / _SIZE_OF_RADIUS_1)
    mask = found(keypoints)[..., 0]
    places = keypoints[..., :2] * tf.constant([width, height], tf.float32) - 0.5
    down = tf.range(height, dtype=tf.float32)[None, :, None, None] - places[:, None, None, :, 1]
    right = tf.range(width, dtype=tf.float32)[None, None, :, None] - places[:, None, None, :, 0]
    maps = _mark(tf.square(down) + tf.square(right), radius, mark) * mask[:, None, None]
    if not bones:
        return maps
    starts, ends = (tf.gather(places, [bone[side] for bone in BONES], axis=1) for side in (0, 1))
    both = tf.gather(mask, [bone[0] for bone in BONES], axis=1) * tf.gather(mask, [bone[1] for bone in BONES], axis=1)
    lines = _mark(_squared_distance(starts, ends, height, width), radius, mark) * both[:, None, None]
    return tf.concat([maps, lines], axis=-1)


def _mark(squares: Tensor, radius: float, mark: Mark) -> Tensor:
    if mark == "disk":
        return tf.cast(squares <= radius**2, tf.float32)
    return tf.exp(squares * (-0.5 / radius**2))


def _squared_distance(starts: Tensor, ends: Tensor, height: int, width: int) -> Tensor:
    """float32[n, height, width, k]: of each pixel's centre from the lines between float32[n, k, 2] and [n, k, 2]."""
    rows, columns = tf.meshgrid(tf.range(height, dtype=tf.float32), tf.range(width, dtype=tf.float32), indexing="ij")
    pixels = tf.stack([columns, rows], axis=-1)[None, :, :, None]
    starts, bones = starts[:, None, None], (ends - starts)[:, None, None]
    length = tf.reduce_sum(tf.square(bones), axis=-1, keepdims=True)
    along = tf.math.divide_no_nan(tf.reduce_sum((pixels - starts) * bones, axis=-1, keepdims=True), length)
    nearest = starts + tf.clip_by_value(along, 0.0, 1.0) * bones
    return tf.reduce_sum(tf.square(pixels - nearest), axis=-1)
