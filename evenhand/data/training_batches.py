"""Batches for the training of classifiers: images, and targets that carry labels, mixtures and weights in one."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand.config import Augmentation, Mixing
from evenhand.data.augmentation import augment
from evenhand.data.blend import Draws
from evenhand.data.input_pipeline import ahead, mapped
from evenhand.data.mixing import mix, random_partners


def training_batches(
    draws: Draws,
    *,
    seed: int,
    num_steps: int,
    first_step: int = 0,
    augmentation: Augmentation | None = None,
    mixing: Mixing | None = None,
) -> tf.data.Dataset:
    """Training batches `first_step`, `first_step` + 1, …, `num_steps` of them.

    Args:
      draws: which images.
      seed: of augmentation and mixing.
      num_steps: batches to give.
      first_step: number of the first one; 0 unless training goes on after an interruption.
      augmentation: random changes of each image; None for none.
      mixing: of pairs of images, after the augmentation; None for none.

    Returns:
      A dataset of known cardinality of (float32[b, h, w, c] in 0 … 255, float32[b, k]). A row of the targets is the
      image's label as a one-hot vector times its weight, or the mixture of two.
    """
    image_shape = (draws.batch_size, *draws.tables[0].image_shape)
    num_classes = len(draws.tables[0].class_names)
    across = draws.partners() if mixing is not None and mixing.pairs == "across" and draws.places.any() else None

    def gather(step: np.int64) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        drawn = draws(int(step))
        return draws.images(*drawn), draws.labels(*drawn)

    def batch(step: tf.Tensor) -> tuple[Any, Any]:
        images, labels = tf.numpy_function(gather, [step], (tf.uint8, tf.int32), stateful=False)
        images = tf.cast(tf.ensure_shape(images, image_shape), tf.float32)
        step_seed = tf.stack([tf.constant(seed, tf.int64), step])
        if augmentation is not None:
            images = augment(images, step_seed, augmentation)
        targets = tf.one_hot(tf.ensure_shape(labels, [draws.batch_size]), num_classes) * draws.weights[:, None]
        if mixing is None:
            return images, targets
        seeds = [tf.random.experimental.stateless_fold_in(step_seed, purpose) for purpose in (1, 2)]
        partners = random_partners(draws.batch_size, seeds[0]) if across is None else tf.constant(across)
        return mix(images, targets, partners, seeds[1], mixing)

    return ahead(mapped(tf.data.Dataset.range(first_step, first_step + num_steps), batch))
