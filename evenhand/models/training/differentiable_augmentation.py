"""Random changes of what a discriminator sees, real and synthetic alike, through which gradients pass.

A discriminator with few real images soon knows them by heart; one that sees each displaced at random does not, and
since synthetic images are displaced by the same law, the generator does not learn the displacement (Zhao et al.,
Differentiable Augmentation for Data-Efficient GAN Training, 2020).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import ops

Tensor = Any


def translate(images: Tensor, share: float, seed: Tensor) -> Tensor:
    """Displaces each image by its own whole number of pixels down and to the right; the edge is repeated.

    Matrix products with shifted unit matrices rather than gathers: exact, and their gradient is fast on every device.

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
    rows = _shifted_identity(ops.round(moves[0] * share * height), height, images.dtype)
    columns = _shifted_identity(ops.round(moves[1] * share * width), width, images.dtype)
    return ops.einsum("nij,njkc,nlk->nilc", rows, images, columns)


def _shifted_identity(shifts: Tensor, size: int, dtype: Any) -> Tensor:
    """[n, size, size]: row i takes pixel i - shift, or the edge."""
    sources = ops.clip(ops.arange(size)[None, :] - ops.cast(shifts, "int32")[:, None], 0, size - 1)
    return ops.one_hot(sources, size, dtype=dtype)
