"""Vectors of the training images, class by class, and who is combined with whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError

Tensor = Any

Members = Literal["nearest", "random"]

_BLOCK = 512
_AT_ONCE = 256


class ClassBank(keras.layers.Layer):
    """The training images as vectors, in the order of their classes, and who is combined with whom.

    A sample combines at most `members` images of its class. `random` takes them from all over the class: a class of n
    images is cut into as many runs as there are members, each gives one image, and the whole is turned by a random
    number of places, so that no image comes twice and all come alike often. `nearest` draws one image and takes it and
    those nearest to it. A smaller class gives all its images either way; the places left over are marked absent.

    All of it is state that is saved with the model, and none is trained.

    Args:
      counts: images of each class, all positive.
      size: numbers in a vector.
      members: most images in one combination.
      choice: how they are chosen.
      is_pixels: keeps uint8 pixels, read as x / 127.5 - 1, rather than float32.
    """

    def __init__(
        self, counts: Sequence[int], size: int, members: int, choice: Members, *, is_pixels: bool = False
    ) -> None:
        super().__init__(trainable=False, dtype="float32")
        self.counts = np.asarray(counts, np.int32)
        self.starts = np.cumsum(self.counts, dtype=np.int32) - self.counts
        self.members, self.choice, self.is_pixels = min(members, int(self.counts.max())), choice, is_pixels
        total = int(self.counts.sum())
        self.vectors = self._state("vectors", (total, size), "uint8" if is_pixels else "float32")
        self.neighbours = self._state("neighbours", (total, self.members), "int32") if choice == "nearest" else None
        self.built = True

    @property
    def uniform_size(self) -> int:
        """Uniform numbers that a choice of members takes."""
        return 1 if self.neighbours is not None else 1 + self.members

    def fill(self, vectors: NDArray[Any]) -> None:
        """Sets all vectors, [n, size] in the order of the classes, and finds the neighbours."""
        self.vectors.assign(vectors)
        if self.neighbours is not None:
            self.neighbours.assign(
                np.concatenate(
                    [
                        start + nearest(vectors[start : start + count].astype(np.float32), self.members)
                        for start, count in zip(self.starts, self.counts, strict=True)
                    ]
                )
            )

    def choose(self, labels: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """The members of combinations.

        Args:
          labels: int32[n].
          uniform: float32[n, uniform_size], in [0, 1].

        Returns:
          int32[n, members] rows of the bank, and bool[n, members], False where the class had no more images; the row
          there is another one of the class.
        """
        counts, starts = tf.gather(self.counts, labels)[:, None], tf.gather(self.starts, labels)[:, None]
        places = tf.range(self.members)[None, :]
        present = places < counts
        turn = _index(uniform[:, :1], counts)
        if self.neighbours is not None:
            return tf.gather(self.neighbours.value, (starts + turn)[:, 0]), present
        runs = tf.minimum(counts, self.members)
        first, end = places * counts // runs, (places + 1) * counts // runs
        inside = first + _index(uniform[:, 1:], end - first)
        return starts + (inside + turn) % counts, present

    def gather(self, rows: Tensor) -> Tensor:
        """Vectors float32[n, members, size] of rows int32[n, members]."""
        vectors = tf.gather(self.vectors.value, rows)
        return tf.cast(vectors, tf.float32) / 127.5 - 1.0 if self.is_pixels else vectors

    def of_class(self, label: int) -> NDArray[np.float32]:
        """All vectors of a class, float32[n, size]: the corners of the hull."""
        start = int(self.starts[label])
        rows = np.arange(start, start + int(self.counts[label]))[None]
        vectors: NDArray[np.float32] = self.gather(tf.constant(rows))[0].numpy()
        return vectors

    def _state(self, name: str, shape: tuple[int, ...], dtype: str) -> keras.Variable:
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False, autocast=False
        )


def bank_rows(images: ImageTable, most: int, seed: int) -> NDArray[np.int64]:
    """The images that are mixed: rows of the table in the order of the classes, at most `most` of each, drawn once.

    Raises:
      UserError: if a class has no image, and so no hull.
    """
    rows, random = [], np.random.default_rng(seed)
    for label, name in enumerate(images.class_names):
        own = np.flatnonzero(images.labels == label)
        if not len(own):
            raise UserError(
                "generator.name",
                f"polarity_gan mixes a class's own images, and there is none of {name!r}",
                "leave the class out or take another generator",
            )
        rows.append(np.sort(random.choice(own, most, replace=False)) if len(own) > most else own)
    return np.concatenate(rows)


def bank_vectors(
    images: ImageTable, rows: NDArray[np.int64], encode: Callable[[NDArray[np.float32]], Tensor] | None
) -> NDArray[Any]:
    """What `ClassBank.fill` takes: the flat pixels of the images, or their codes.

    Args:
      images: the table.
      rows: of it, from `bank_rows`.
      encode: gives codes, [n, size], of images, float32[n, h, w, c] in [-1, 1], 256 at a time; None for pixels.

    Returns:
      uint8[n, h * w * c], or float32[n, size].
    """
    if encode is None:
        return images.images[rows].reshape(len(rows), -1)
    parts = (images.images[rows[start : start + _AT_ONCE]] for start in range(0, len(rows), _AT_ONCE))
    return np.concatenate([np.asarray(encode(part.astype(np.float32) / 127.5 - 1.0)) for part in parts])


def nearest(vectors: NDArray[np.float32], number: int) -> NDArray[np.int32]:
    """Each vector itself and those nearest to it, by Euclidean distance, nearest first.

    Args:
      vectors: float32[n, size].
      number: of places; those beyond n repeat the vector itself.

    Returns:
      int32[n, number].
    """
    count = len(vectors)
    kept = min(number, count)
    squares = np.einsum("nd,nd->n", vectors, vectors)
    found = np.repeat(np.arange(count, dtype=np.int32)[:, None], number, axis=1)
    for start in range(0, count, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, count))
        # The vector's own square is the same along its row and changes no order.
        distances = squares[None, :] - 2.0 * vectors[rows] @ vectors.T
        distances[np.arange(len(rows)), rows] = -np.inf
        near = np.argpartition(distances, kept - 1, axis=1)[:, :kept]
        order = np.argsort(np.take_along_axis(distances, near, axis=1), axis=1, kind="stable")
        found[rows, :kept] = np.take_along_axis(near, order, axis=1)
    return found


def _index(uniform: Tensor, counts: Tensor) -> Tensor:
    """int32 in [0, counts) from uniform numbers, which may be 1 after rounding."""
    return tf.minimum(tf.cast(uniform * tf.cast(counts, tf.float32), tf.int32), counts - 1)
