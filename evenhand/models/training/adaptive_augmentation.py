"""Augmentation of what a discriminator sees, as strong as its overfitting asks for.

Karras et al., Training Generative Adversarial Networks with Limited Data, 2020 (ADA). A discriminator that knows its
few real images by heart gives nearly all of them positive logits. So r = E[sign(D(real))] is watched, and the
probability p of each change rises while r is above its target and falls while it is below. As long as p is well under
1, the generator does not learn the changes.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

Tensor = Any

BATCHES_PER_MOVE = 4

_SCALE, _SHIFT_IN_PIXELS, _SHIFT, _MAX_TURN = 0.2, 0.125, 0.125, 3.141592653589793 / 4
_BRIGHTNESS, _CONTRAST, _SATURATION = 0.2, 0.5, 1.0
_GEOMETRY_SEED, _COLOR_SEED, _CHOICE_SEED = 1, 2, 3
_fold = tf.random.experimental.stateless_fold_in


class AdaptiveAugmentation(keras.layers.Layer):
    """Changes images at random, each change with the probability p, and moves p.

    The changes are the paper's geometry and colour (`warp`, `recolor`) but for those that may turn one class into
    another, or into nothing that exists: no mirror images, no quarter turns, no other hues, no inverted brightness, and
    rotation by at most an eighth of a turn. p belongs to the networks of the discriminator's update, so that the
    training loop holds it still in the generator's.

    Args:
      target: of r, in (-1, 1): 0.6 in the paper, 0.7 for ReACGAN in the code of its authors.
      images_to_certainty: real images in which p can rise from 0 to 1: 500 000 in the paper, fewer for short trainings.
    """

    def __init__(self, target: float, images_to_certainty: int) -> None:
        super().__init__(dtype="float32")
        self.target, self.images_to_certainty = target, images_to_certainty
        self.probability, self.signs = (
            self.add_weight(name=name, shape=(), initializer="zeros", trainable=False)
            for name in ("probability", "signs")
        )
        self.batches = self.add_weight(name="batches", shape=(), dtype="int64", initializer="zeros", trainable=False)
        self.built = True

    def call(self, images: Tensor, seed: Tensor) -> Tensor:
        """Changes each image in its own way.

        Args:
          images: float[n, h, w, c] in [-1, 1].
          seed: int32[2].

        Returns:
          float[n, h, w, c]; colour may take values out of [-1, 1].
        """
        number = ops.shape(images)[0]
        chances = tf.random.stateless_uniform([8, number], seed=_fold(seed, _CHOICE_SEED), alg="philox")
        chosen = ops.cast(chances < self.probability, "float32")
        images = warp(images, chosen[:5], _fold(seed, _GEOMETRY_SEED))
        return recolor(images, chosen[5:], _fold(seed, _COLOR_SEED))

    def watch(self, real: Tensor) -> None:
        """Notes the logits of a batch of real images; each fourth time, p moves.

        Args:
          real: float[n] or float[n, 1].
        """
        context = tf.distribute.get_replica_context()
        sign = ops.mean(ops.sign(ops.cast(ops.stop_gradient(real), "float32")))
        signs = self.signs + context.all_reduce(tf.distribute.ReduceOp.MEAN, sign)
        batches = self.batches + 1
        is_due = ops.equal(batches, BATCHES_PER_MOVE)
        images = BATCHES_PER_MOVE * ops.shape(real)[0] * context.num_replicas_in_sync
        move = ops.sign(signs / BATCHES_PER_MOVE - self.target) * ops.cast(images, "float32") / self.images_to_certainty
        moved = ops.clip(self.probability + ops.where(is_due, move, 0.0), 0.0, 1.0)
        self.probability.assign(moved)
        self.signs.assign(ops.where(is_due, 0.0, signs))
        self.batches.assign(ops.where(is_due, 0, batches))


def warp(images: Tensor, chosen: Tensor, seed: Tensor) -> Tensor:
    """Shift by whole pixels, scaling, rotation, stretching and shift, as one map; the edge is repeated.

    Shifts by whole pixels are uniform within an eighth of the size, other ones normal with a deviation of an eighth;
    scales are 2^N(0, 0.2), both ways alike or across from down; rotation is uniform within an eighth of a turn.

    Args:
      images: float[n, h, w, c].
      chosen: float32[5, n], in the order above; 1 where the change is made, 0 where it is not.
      seed: int32[2].

    Returns:
      float[n, h, w, c], interpolated linearly.
    """
    _, height, width, _ = images.shape
    number = ops.shape(images)[0]
    size = ops.reshape(ops.convert_to_tensor([height, width], "float32"), (2, 1))
    uniform = tf.random.stateless_uniform([3, number], seed=_fold(seed, 1), minval=-1.0, maxval=1.0, alg="philox")
    normal = tf.random.stateless_normal([4, number], seed=_fold(seed, 2), alg="philox")
    whole = ops.round(uniform[:2] * _SHIFT_IN_PIXELS * size) * chosen[0]
    scale, stretch = (2.0 ** (_SCALE * normal[row] * chosen[which]) for row, which in ((0, 1), (1, 3)))
    angle = uniform[2] * _MAX_TURN * chosen[2]
    shift = whole + normal[2:] * _SHIFT * size * chosen[4]
    # Where each pixel of the result is found: the shift and the changes about the centre, undone.
    rows = ops.arange(height, dtype="float32")[None, :, None] - (height - 1) / 2.0 - shift[0][:, None, None]
    columns = ops.arange(width, dtype="float32")[None, None, :] - (width - 1) / 2.0 - shift[1][:, None, None]
    cosine, sine = (value[:, None, None] for value in (ops.cos(angle), ops.sin(angle)))
    across, down = ((scale * factor)[:, None, None] for factor in (stretch, 1.0 / stretch))
    source_rows = (cosine * rows - sine * columns) / down + (height - 1) / 2.0
    source_columns = (sine * rows + cosine * columns) / across + (width - 1) / 2.0
    return _interpolate(images, source_rows, source_columns)


def _interpolate(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Images at the places float32[n, h, w] and float32[n, h, w], in pixels, or at the edge nearest to them."""
    _, height, width, channels = images.shape
    rows, columns = ops.clip(rows, 0.0, height - 1.0), ops.clip(columns, 0.0, width - 1.0)
    top, left = ops.floor(rows), ops.floor(columns)
    below, right = rows - top, columns - left
    flat = ops.reshape(images, (-1, height * width, channels))

    def corner(row: Tensor, column: Tensor, weight: Tensor) -> Tensor:
        # The last row and column have no neighbour, whose weight is 0 there.
        places = ops.minimum(row, height - 1.0) * width + ops.minimum(column, width - 1.0)
        picked = tf.gather(flat, ops.cast(places, "int32"), batch_dims=1)
        return picked * ops.cast(weight, images.dtype)[..., None]

    return (
        corner(top, left, (1.0 - below) * (1.0 - right))
        + corner(top, left + 1.0, (1.0 - below) * right)
        + corner(top + 1.0, left, below * (1.0 - right))
        + corner(top + 1.0, left + 1.0, below * right)
    )


def recolor(images: Tensor, chosen: Tensor, seed: Tensor) -> Tensor:
    """Adds N(0, 0.2) to the brightness, multiplies contrast by 2^N(0, 0.5) and saturation by 2^N(0, 1).

    Args:
      images: float[n, h, w, c] in [-1, 1]; contrast is about 0, mid grey, saturation about the mean of the channels.
      chosen: float32[3, n], in the order above; 1 where the change is made, 0 where it is not.
      seed: int32[2].

    Returns:
      float[n, h, w, c].
    """
    normal = tf.random.stateless_normal([3, ops.shape(images)[0]], seed=seed, alg="philox") * chosen
    brightness, contrast, saturation = (ops.cast(row, images.dtype)[:, None, None, None] for row in ops.unstack(normal))
    images = (images + _BRIGHTNESS * brightness) * 2.0 ** (_CONTRAST * contrast)
    grey = ops.mean(images, axis=-1, keepdims=True)
    return grey + (images - grey) * 2.0 ** (_SATURATION * saturation)
