"""A generator's `sample` as TensorFlow functions that give pixels: for a SavedModel, and for drawing from memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand.data import pose
from evenhand.models.sample_generator import DrawsImages
from evenhand.models.training.conditional_generator import ConditionalGenerator


def sampler_in_memory(model: ConditionalGenerator) -> DrawsImages:
    """Draws from the model as it is at the moment of drawing, for `sample_generator`."""
    draw = uint8_sampler(model)

    def sample(labels: NDArray[np.int32], seeds: NDArray[np.int64], /) -> NDArray[np.uint8]:
        images: NDArray[np.uint8] = draw(tf.constant(labels, tf.int32), tf.constant(seeds, tf.int64))["images"].numpy()
        return images

    return sample


def uint8_sampler(model: ConditionalGenerator) -> tf.types.experimental.PolymorphicFunction:
    """`model.sample` as a TensorFlow function: labels int32[n], seed int64[n] -> {"images": uint8[n, h, w, c]}."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, name="labels"),
            tf.TensorSpec([None], tf.int64, name="seed"),
        ]
    )
    def sample(labels: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"images": _uint8(model.sample(labels, seed), model.image_shape)}

    return sample


def uint8_pose_sampler(model: Any) -> tf.types.experimental.PolymorphicFunction:
    """`model.sample_poses` as a TensorFlow function: keypoints float32[n, 21, 3] besides what `uint8_sampler` takes."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, pose.NUM_KEYPOINTS, 3], tf.float32, name="keypoints"),
            tf.TensorSpec([None], tf.int32, name="labels"),
            tf.TensorSpec([None], tf.int64, name="seed"),
        ]
    )
    def sample_poses(keypoints: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"images": _uint8(model.sample_poses(keypoints, labels, seed), model.image_shape)}

    return sample_poses


def realness_function(model: Any) -> tf.types.experimental.PolymorphicFunction:
    """`model.realness` as a TensorFlow function: images uint8[n, h, w, c] and labels -> {"realness": float32[n]}."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, *model.image_shape], tf.uint8, name="images"),
            tf.TensorSpec([None], tf.int32, name="labels"),
        ]
    )
    def realness(images: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"realness": tf.cast(model.realness(tf.cast(images, tf.float32) / 127.5 - 1.0, labels), tf.float32)}

    return realness


def _uint8(images: tf.Tensor, image_shape: tuple[int, ...]) -> tf.Tensor:
    """uint8[n, h, w, c] of pixels in [-1, 1]."""
    pixels = tf.clip_by_value(tf.round((tf.cast(images, tf.float32) + 1.0) * 127.5), 0.0, 255.0)
    return tf.ensure_shape(tf.cast(pixels, tf.uint8), [None, *image_shape])
