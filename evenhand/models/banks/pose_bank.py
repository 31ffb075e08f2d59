"""The training poses of each class, kept in the model: what a generator that draws from poses draws from."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from evenhand.data.image_table import ImageTable
from evenhand.data.pose import NUM_KEYPOINTS, has_hand
from evenhand.data.pose_variation import NOISE_SIZE, Jitter, interpolate, jitter, side
from evenhand.errors import UserError

Tensor = Any

DRAWN_SIZE = 3 + NOISE_SIZE
"""Numbers that a pose is drawn with: two to choose poses, one for the place between them, the rest for jitter."""


class PoseBank(keras.layers.Layer):
    """The poses of all training images in which a hand was found, by class.

    Args:
      images: with key points.

    Raises:
      UserError: if there are no key points, or a class has no image with a hand.
    """

    def __init__(self, images: ImageTable) -> None:
        super().__init__(trainable=False, dtype="float32", name="pose_bank")
        if images.keypoints is None:
            raise UserError(
                "data.keypoints",
                "is null, and this generator draws from poses",
                "give a model or a folder of OpenPose's",
            )
        if images.keypoints.shape[1:] != (NUM_KEYPOINTS, 3):
            raise ValueError(f"key points must be [n, {NUM_KEYPOINTS}, 3], not {list(images.keypoints.shape)}")
        rows = np.flatnonzero(has_hand(images.keypoints))
        rows = rows[np.argsort(images.labels[rows], kind="stable")]
        counts = np.bincount(images.labels[rows], minlength=len(images.class_names))
        if not counts.all():
            name = images.class_names[int(np.argmin(counts))]
            raise UserError(
                "data.keypoints", f"no hand was found in any training image of class {name!r}", "leave the class out"
            )
        self.poses = self._constant("poses", images.keypoints[rows])
        self.counts = self._constant("counts", counts.astype(np.int32))
        self.starts = self._constant("starts", (np.cumsum(counts) - counts).astype(np.int32))
        self.built = True

    def _constant(self, name: str, value: Any) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=value.shape,
            dtype=value.dtype.name,
            initializer=lambda shape, dtype: ops.convert_to_tensor(value, dtype),
            trainable=False,
            autocast=False,
        )

    def draw(self, labels: Tensor, noise: Tensor, *, interpolates: bool, strength: Jitter) -> Tensor:
        """A pose of each label's class, jittered.

        Args:
          labels: int32[n].
          noise: float32[n, `DRAWN_SIZE`], standard normal.
          interpolates: take what lies between two poses of the class rather than one of them, where both are hands of
            one side: between a pose and its mirror image lies no hand.
          strength: of the jitter.

        Returns:
          float32[n, 21, 3].
        """
        numbers = 0.5 * (1.0 + tf.math.erf(noise[:, :3] / math.sqrt(2.0)))
        poses = self._choose(labels, numbers[:, 0])
        if interpolates:
            others = self._choose(labels, numbers[:, 1])
            alike = side(poses) * side(others) > 0
            poses = tf.where(alike[:, None, None], interpolate(poses, others, numbers[:, 2]), poses)
        return jitter(poses, noise[:, 3:], strength)

    def _choose(self, labels: Tensor, numbers: Tensor) -> Tensor:
        counts, starts = (tf.gather(table.value, labels) for table in (self.counts, self.starts))
        place = tf.minimum(tf.cast(numbers * tf.cast(counts, tf.float32), tf.int32), counts - 1)
        return tf.gather(self.poses.value, starts + place)
