"""New poses from known ones: jitter, and what lies between two poses of a class.

Nothing here draws a random number: whoever calls gives the noise, so that a pose can follow from a seed alone.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
from pydantic import Field

from evenhand.config import Section
from evenhand.data.pose import MIN_CONFIDENCE, NUM_KEYPOINTS, WRIST

Tensor = Any

NOISE_SIZE = 4 + 2 * NUM_KEYPOINTS
"""Numbers that `jitter` takes for each pose: turn, scale, two of the shift, two of each key point."""

_LARGEST_NOISE = 2.5
_INDEX_KNUCKLE, _LITTLE_KNUCKLE = 5, 17
_SMALLEST_HAND = 1e-3


class Jitter(Section):
    """How far a pose is moved at random; each number is a standard deviation.

    Attributes:
      rotation: of the turn about the hand's centre, in degrees.
      scale: of the logarithm of the size.
      shift: of the displacement, as a share of height and width.
      joint: of each key point's own displacement, as a share of the hand's size (see `hand_frame`).
    """

    rotation: float = Field(6.0, ge=0.0, le=90.0)
    scale: float = Field(0.05, ge=0.0, le=0.5)
    shift: float = Field(0.02, ge=0.0, le=0.5)
    joint: float = Field(0.03, ge=0.0, le=0.5)


def found(keypoints: Tensor) -> Tensor:
    """float32[n, 21, 1]: 1 for each key point of float32[n, 21, 3] that counts as found, else 0."""
    return tf.cast(keypoints[..., 2:] >= MIN_CONFIDENCE, tf.float32)


def hand_frame(keypoints: Tensor) -> tuple[Tensor, Tensor]:
    """Where the hand is and how large.

    Args:
      keypoints: float32[n, 21, 3].

    Returns:
      Centre float32[n, 1, 2], the mean of the key points found, and size float32[n, 1, 1], the root of their mean
      squared distance from it, not less than 0.001.
    """
    mask = found(keypoints)
    number = tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)
    centre = tf.reduce_sum(keypoints[..., :2] * mask, axis=1, keepdims=True) / number
    squares = tf.reduce_sum(tf.square(keypoints[..., :2] - centre) * mask, axis=(1, 2), keepdims=True)
    return centre, tf.maximum(tf.sqrt(squares / number), _SMALLEST_HAND)


def jitter(keypoints: Tensor, noise: Tensor, strength: Jitter) -> Tensor:
    """Turns, scales and shifts each hand as a whole, then moves each key point a little by itself.

    Args:
      keypoints: float32[n, 21, 3].
      noise: float32[n, `NOISE_SIZE`], standard normal; what is beyond 2.5 counts as 2.5.
      strength: of the changes.

    Returns:
      float32[n, 21, 3]; confidences are kept, and so are key points that were not found.
    """
    noise = tf.clip_by_value(noise, -_LARGEST_NOISE, _LARGEST_NOISE)
    centre, size = hand_frame(keypoints)
    angle = noise[:, 0] * (strength.rotation * math.pi / 180.0)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    turn = tf.stack([tf.stack([cosine, sine], axis=-1), tf.stack([-sine, cosine], axis=-1)], axis=1)
    arms = tf.matmul(keypoints[..., :2] - centre, turn) * tf.exp(noise[:, 1] * strength.scale)[:, None, None]
    own = tf.reshape(noise[:, 4:], (-1, NUM_KEYPOINTS, 2)) * strength.joint * size
    moved = centre + arms + own + noise[:, None, 2:4] * strength.shift
    return tf.concat([tf.where(found(keypoints) > 0, moved, keypoints[..., :2]), keypoints[..., 2:]], axis=-1)


def interpolate(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """The convex combination of pairs of poses.

    Args:
      first: float32[n, 21, 3].
      second: float32[n, 21, 3].
      share: float32[n] in [0, 1], of the first.

    Returns:
      float32[n, 21, 3]; each key point has the lower of the two confidences, and is 0 where one of them was not found.
    """
    share = share[:, None, None]
    places = share * first[..., :2] + (1.0 - share) * second[..., :2]
    both = tf.concat([places, tf.minimum(first[..., 2:], second[..., 2:])], axis=-1)
    return both * found(both)


def side(keypoints: Tensor) -> Tensor:
    """Which of two mirror images each hand is, by the order of index finger, little finger and wrist.

    Args:
      keypoints: float32[n, 21, 3].

    Returns:
      float32[n]: 1 for a left hand that shows its palm or a right one that shows its back, -1 for their mirror images,
      and 0 where one of the three was not found.
    """
    places, mask = keypoints[..., :2], found(keypoints)[..., 0]
    index, little = (places[:, joint] - places[:, WRIST] for joint in (_INDEX_KNUCKLE, _LITTLE_KNUCKLE))
    told = mask[:, _INDEX_KNUCKLE] * mask[:, _LITTLE_KNUCKLE] * mask[:, WRIST]
    return tf.sign(index[:, 0] * little[:, 1] - index[:, 1] * little[:, 0]) * told


def normalized(keypoints: Tensor) -> Tensor:
    """The shape of each hand alone, float32[n, 21, 2]: centred, of size 1, a left hand as its mirror image.

    Where no one can tell which hand it is (see `side`), it stays as it is. Key points that were not found are 0.
    """
    centre, size = hand_frame(keypoints)
    mask = found(keypoints)
    shape = (keypoints[..., :2] - centre) / size * mask
    mirror = tf.where(side(keypoints) < 0, -1.0, 1.0)
    return shape * tf.stack([mirror, tf.ones_like(mirror)], axis=-1)[:, None]


def distances(keypoints: Tensor) -> Tensor:
    """How far the shapes of any two hands are apart, in sizes of a hand.

    Args:
      keypoints: float32[n, 21, 3].

    Returns:
      float32[n, n], the root of the mean squared distance of the normalised key points that both have; 0 where they
      have none in common.
    """
    shape, mask = normalized(keypoints), found(keypoints)[..., 0]
    both = mask[:, None] * mask[None]
    squares = tf.reduce_sum(tf.square(shape[:, None] - shape[None]), axis=-1) * both
    return tf.sqrt(tf.math.divide_no_nan(tf.reduce_sum(squares, axis=-1), tf.reduce_sum(both, axis=-1)))
