"""Geometric augmentation that a generator is told of, so that it does not learn it.

Paper: Karras et al., 2022, appendix F.2. Each change takes place with the same probability, and nine numbers describe
what was done to an image; the network reads them in training, and zeros, "unchanged", when images are drawn. The paper
describes a stretch by its direction, so that its inverse reads the same; twice the direction tells them apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

Tensor = Any

_SCALE, _STRETCH, _SHIFT = 0.2, 0.2, 0.125
_CHANCES, _NORMALS, _ANGLES = 1, 2, 3
_CHANGES, _MEASURES = 6, 4
_fold = tf.random.experimental.stateless_fold_in


def augment(images: Tensor, probability: float, seed: Tensor, *, has_flips: bool) -> tuple[Tensor, Tensor]:
    """Changes images, each by itself.

    With `probability` each: scaled by 2^N(0, 0.2), rotated by any angle, stretched by 2^N(0, 0.2) along any direction
    and shrunk as much across it, displaced by N(0, 0.125) of its size. With `has_flips` also mirrored, left-right with
    probability 1/2 and top-bottom with `probability`. Bilinear, and the edge is repeated outside.

    Args:
      images: float32[n, h, w, c].
      probability: of each change, in [0, 1].
      seed: int32[2].
      has_flips: whether images are mirrored.

    Returns:
      The images, and what was done to them, float32[n, 9]: the two mirrorings, log2 of the scale, cosine - 1 and sine
      of the rotation, log2 of the stretch times cosine and sine of twice its direction, and the displacements down
      and to the right; the logarithms and displacements in units of their standard deviations.
    """
    number = ops.shape(images)[0]
    chances = tf.random.stateless_uniform([_CHANGES, number], _fold(seed, _CHANCES), alg="philox")
    normals = tf.random.stateless_normal([_MEASURES, number], _fold(seed, _NORMALS), alg="philox")
    angles = tf.random.stateless_uniform([2, number], _fold(seed, _ANGLES), -np.pi, np.pi, alg="philox")
    limits = np.array([0.5 * has_flips, probability * has_flips, *[probability] * 4])[:, None]
    mirror_x, mirror_y, scales, turns, stretches, shifts = tf.unstack(ops.cast(chances < limits, "float32"))
    scale, stretch = normals[0] * scales, normals[1] * stretches
    angle, direction = angles[0] * turns, angles[1]
    down, right = normals[2] * shifts, normals[3] * shifts

    # From a pixel of the result to the place it is taken from: every change undone, the last one first.
    undo = (
        _diagonal(1.0 - 2.0 * mirror_y, 1.0 - 2.0 * mirror_x)
        @ _diagonal(2.0 ** (-_SCALE * scale), 2.0 ** (-_SCALE * scale))
        @ _rotation(-angle)
        @ _rotation(direction)
        @ _diagonal(2.0 ** (-_STRETCH * stretch), 2.0 ** (_STRETCH * stretch))
        @ _rotation(-direction)
    )
    described = [
        mirror_x,
        mirror_y,
        scale,
        ops.cos(angle) - 1.0,
        ops.sin(angle),
        stretch * ops.cos(2.0 * direction),
        stretch * ops.sin(2.0 * direction),
        down,
        right,
    ]
    return _taken_from(images, undo, _SHIFT * ops.stack([down, right], axis=-1)), ops.stack(described, axis=-1)


def _diagonal(first: Tensor, second: Tensor) -> Tensor:
    return tf.linalg.diag(ops.stack([first, second], axis=-1))


def _rotation(angle: Tensor) -> Tensor:
    cosine, sine = ops.cos(angle), ops.sin(angle)
    return ops.stack([ops.stack([cosine, -sine], axis=-1), ops.stack([sine, cosine], axis=-1)], axis=-2)


def _taken_from(images: Tensor, undo: Tensor, shifts: Tensor) -> Tensor:
    """Images whose pixel p is that at `undo (p - shift)`, from the middle, of the old ones.

    Args:
      images: float32[n, h, w, c].
      undo: float32[n, 2, 2], of rows and columns.
      shifts: float32[n, 2], shares of height and width.
    """
    _, height, width, _ = images.shape
    middle = np.array([(height - 1) / 2, (width - 1) / 2], np.float32)
    places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1).reshape(-1, 2) - middle
    moved = places.astype(np.float32)[None] - (shifts * np.array([height, width], np.float32))[:, None, :]
    sources = ops.clip(ops.matmul(moved, ops.transpose(undo, (0, 2, 1))) + middle, 0.0, 2.0 * middle)
    corner = ops.minimum(ops.floor(sources), np.array([height - 2, width - 2], np.float32))
    below, beyond = tf.unstack((sources - corner)[..., None], axis=2)
    rows, columns = tf.unstack(ops.cast(corner, "int32"), axis=2)
    flat = ops.reshape(images, (-1, height * width, images.shape[-1]))

    def pixel(row: int, column: int) -> Tensor:
        return tf.gather(flat, (rows + row) * width + columns + column, batch_dims=1)

    upper = pixel(0, 0) * (1.0 - beyond) + pixel(0, 1) * beyond
    lower = pixel(1, 0) * (1.0 - beyond) + pixel(1, 1) * beyond
    return ops.reshape(upper * (1.0 - below) + lower * below, ops.shape(images))
