"""Random labels by a given law, for synthetic images in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Tensor = Any


def draw_labels(shares: NDArray[np.float64], number: int, seed: Tensor) -> Tensor:
    """Labels, int32[number], each drawn with the probability that its class has in `shares`.

    Args:
      shares: float64[k], adding up to 1; a class of share 0 is never drawn.
      number: of labels.
      seed: int32[2].
    """
    present = np.flatnonzero(shares)
    # The upper end of each class's part of 0..1; without the last one, which rounding might put a little below 1.
    ends = np.cumsum(shares[present])[:-1].astype(np.float32)
    uniform = tf.random.stateless_uniform([number, 1], seed=seed, alg="philox")
    places = tf.reduce_sum(tf.cast(uniform >= tf.constant(ends), tf.int32), axis=1)
    return tf.gather(tf.constant(present, tf.int32), places)
