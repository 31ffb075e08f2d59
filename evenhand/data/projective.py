"""Projective transforms of a batch of images, each by its own."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def transform(images: Any, transforms: Any) -> Any:
    """float32[b, h, w, c] under projective transforms float32[b, 8], bilinear; the edge repeats outside."""
    return tf.ensure_shape(
        tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=transforms,
            output_shape=tf.shape(images)[1:3],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        ),
        images.shape,
    )
