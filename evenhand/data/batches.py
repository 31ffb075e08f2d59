"""Batches of an `ImageTable`: batch k is a pure function of the seed and k, so training can go on from any step."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand.config import Augmentation
from evenhand.data.augmentation import augment
from evenhand.data.image_table import ImageTable
from evenhand.data.input_pipeline import ahead, mapped
from evenhand.data.sampling import Sampling, sampler


def batches(  # noqa: PLR0913 - what batches depend on, and where they start
    table: ImageTable,
    *,
    batch_size: int,
    sampling: Sampling,
    seed: int,
    num_steps: int,
    first_step: int = 0,
    augmentation: Augmentation | None = None,
    with_keypoints: bool = False,
) -> tf.data.Dataset:
    """Training batches `first_step`, `first_step` + 1, …, `num_steps` of them.

    Args:
      table: the images; at least one.
      batch_size: images in a batch.
      sampling: `instance` goes through all images in a new order each epoch (a batch may straddle two epochs);
        `balanced` draws the class first, every class alike; `sqrt` draws classes by the square root of their counts;
        `undersample` keeps as many images of each class as the rarest has, drawn once, and goes through those.
      seed: of order and augmentation.
      num_steps: batches to give.
      first_step: number of the first one; 0 unless training goes on after an interruption.
      augmentation: random changes of the images; None for none.
      with_keypoints: give the key points too; not together with `augmentation`, which would move the images alone.

    Returns:
      A dataset of known cardinality of (float32[b, h, w, c] in 0 … 255, int32[b]), and float32[b, k, 3] third where
      key points are asked for.
    """
    if not len(table):
        raise ValueError("a table without images gives no batches")
    if with_keypoints and (table.keypoints is None or augmentation is not None):
        raise ValueError("batches with key points need a table that has them, and no augmentation")
    draw = sampler(table, batch_size=batch_size, sampling=sampling, seed=seed)
    image_shape = (batch_size, *table.image_shape)

    keypoints = table.keypoints if with_keypoints else None

    def gather(step: np.int64) -> tuple[NDArray[Any], ...]:
        rows = draw(int(step))
        found = np.take(table.images, rows, axis=0), table.labels[rows].astype(np.int32)
        return found if keypoints is None else (*found, keypoints[rows].astype(np.float32))

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
        types = (tf.uint8, tf.int32) if keypoints is None else (tf.uint8, tf.int32, tf.float32)
        images, labels, *found = tf.numpy_function(gather, [step], types, stateful=False)
        images = tf.cast(tf.ensure_shape(images, image_shape), tf.float32)
        if augmentation is not None:
            images = augment(images, tf.stack([tf.constant(seed, tf.int64), step]), augmentation)
        labels = tf.ensure_shape(labels, [batch_size])
        if keypoints is None:
            return images, labels
        return images, labels, tf.ensure_shape(found[0], [batch_size, *keypoints.shape[1:]])

    return ahead(mapped(tf.data.Dataset.range(first_step, first_step + num_steps), batch))


def sequential(table: ImageTable, batch_size: int) -> tf.data.Dataset:
    """All rows once, in order, for evaluation; the last batch may be smaller.

    Returns:
      A dataset of known cardinality of (float32[b, h, w, c] in 0 … 255, int32[b]).
    """

    def gather(start: np.int64) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        stop = int(start) + batch_size
        return np.asarray(table.images[start:stop]), table.labels[start:stop].astype(np.int32)

    def batch(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = tf.numpy_function(gather, [start], (tf.uint8, tf.int32), stateful=False)
        return tf.cast(tf.ensure_shape(images, [None, *table.image_shape]), tf.float32), tf.ensure_shape(labels, [None])

    return ahead(mapped(tf.data.Dataset.range(0, len(table), batch_size), batch))
