"""The latents of the training images, and the mixtures of a few of them that new images are decoded from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from evenhand.models.banks.class_bank import nearest

Tensor = Any

Choice = Literal["pairs", "neighbours", "convex"]


class LatentBank(keras.layers.Layer):
    """A Gaussian of latents for each training image, in the order of the classes; state that is saved, not trained.

    Args:
      counts: images of each class, all positive.
      latent_size: numbers in a latent.
      choice: who is mixed. `pairs`: two images of the class, any two alike often. `neighbours`: one image, and one of
        the `members` nearest to it. `convex`: `members` images from all over the class. A class with fewer images
        gives those it has, an only one itself.
      members: see `choice`; pairs take no notice of it, and more than the largest class can give are not kept.
    """

    def __init__(self, counts: Sequence[int], latent_size: int, choice: Choice, members: int) -> None:
        super().__init__(trainable=False, dtype="float32")
        self.counts = np.asarray(counts, np.int32)
        self.starts = np.cumsum(self.counts, dtype=np.int32) - self.counts
        largest, total = int(self.counts.max()), int(self.counts.sum())
        self.choice, self.members = choice, max(min(members, largest), 2) if choice == "convex" else 2
        neighbours = min(members, max(largest - 1, 1))
        self.means = self._state("means", (total, latent_size), "float32")
        self.deviations = self._state("deviations", (total, latent_size), "float32")
        self.nearest = self._state("nearest", (total, neighbours), "int32") if choice == "neighbours" else None
        self.built = True

    def fill(self, means: NDArray[np.float32], deviations: NDArray[np.float32]) -> None:
        """Sets means and standard deviations, [n, z] in the order of the classes, and finds the neighbours."""
        self.means.assign(means)
        self.deviations.assign(deviations)
        if self.nearest is not None:
            self.nearest.assign(np.concatenate([self._neighbours(means, label) for label in range(len(self.counts))]))

    def _neighbours(self, means: NDArray[np.float32], label: int) -> NDArray[np.int32]:
        """int32[count, members]: those nearest to each image of a class, again and again where there are too few."""
        assert self.nearest is not None
        start, count = int(self.starts[label]), int(self.counts[label])
        members = self.nearest.shape[1]
        found = nearest(means[start : start + count], min(members + 1, count))
        others = found[:, 1:] if count > 1 else found
        return start + others[:, np.arange(members) % others.shape[1]]

    def choose(self, labels: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """The images to be mixed.

        Args:
          labels: int32[n].
          uniform: float32[n, members], in [0, 1].

        Returns:
          int32[n, members] rows of the bank, and bool[n, members], False where the class had no more images.
        """
        counts, starts = tf.gather(self.counts, labels)[:, None], tf.gather(self.starts, labels)[:, None]
        first = index(uniform[:, :1], counts)
        if self.nearest is not None:
            candidates = tf.gather(self.nearest.value, (starts + first)[:, 0])
            turn = index(uniform[:, 1:], candidates.shape[1])
            other = tf.gather(candidates, turn, batch_dims=1)
            return tf.concat([starts + first, other], axis=1), tf.concat([counts > 0, counts > 1], axis=1)
        # The others stand 1 to n - 1 places further on. These places are cut into as many runs as there are others, and
        # each run gives one, so that nobody comes twice; for two, every pair is alike likely.
        places = tf.range(self.members - 1)[None, :]
        runs = tf.clip_by_value(counts - 1, 1, self.members - 1)
        begin, end = places * (counts - 1) // runs, (places + 1) * (counts - 1) // runs
        others = (first + 1 + begin + index(uniform[:, 1:], end - begin)) % counts
        return starts + tf.concat([first, others], axis=1), tf.range(self.members)[None, :] < counts

    def mixture(self, rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted sums of means and of standard deviations, float32[n, z] each.

        Args:
          rows: int32[n, members].
          weights: float32[n, members].
        """
        means, deviations = tf.gather(self.means.value, rows), tf.gather(self.deviations.value, rows)
        return ops.sum(weights[:, :, None] * means, axis=1), ops.sum(weights[:, :, None] * deviations, axis=1)

    def _state(self, name: str, shape: tuple[int, ...], dtype: str) -> keras.Variable:
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False, autocast=False
        )


def line_weights(uniform: Tensor, present: Tensor, low: float, high: float) -> Tensor:
    """Weights of two images on the line through them.

    Args:
      uniform: float32[n, 1], in [0, 1].
      present: bool[n, 2]; who is alone has weight 1.
      low: least weight of the first; below 0 lies beyond the second image.
      high: largest weight of the first; above 1 lies beyond the first image.

    Returns:
      float32[n, 2], adding up to 1.
    """
    weight = ops.where(present[:, 1:], low + (high - low) * uniform, 1.0)
    return ops.concatenate([weight, 1.0 - weight], axis=1)


def simplex_weights(uniform: Tensor, present: Tensor) -> Tensor:
    """Weights drawn uniformly from all that are not negative and add up to 1, Dirichlet(1, ..., 1).

    Args:
      uniform: float32[n, m], in [0, 1].
      present: bool[n, m]; the others have weight 0.
    """
    shares = ops.where(present, -ops.log(ops.maximum(uniform, 1e-30)) + 1e-30, 0.0)
    return shares / ops.sum(shares, axis=1, keepdims=True)


def index(uniform: Tensor, counts: Tensor) -> Tensor:
    """int32 in [0, counts) from uniform numbers, which may be 1 after rounding."""
    return tf.maximum(tf.minimum(tf.cast(uniform * tf.cast(counts, tf.float32), tf.int32), counts - 1), 0)


def uniform_for_seeds(seeds: Tensor, size: int) -> Tensor:
    """Uniform numbers in [0, 1), float32[n, size]; each row depends on its own seed (int64[n]) alone."""

    def numbers(seed: Tensor) -> Tensor:
        return tf.random.stateless_uniform([size], seed=tf.stack([seed, tf.ones_like(seed)]), alg="philox")

    return tf.map_fn(numbers, seeds, fn_output_signature=tf.TensorSpec([size], tf.float32))
