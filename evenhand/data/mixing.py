"""Mixes the images of a batch in pairs; stateless and for the whole batch at once."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from evenhand.config import Mixing


def mix(images: Any, targets: Any, partners: Any, seed: Any, mixing: Mixing) -> tuple[Any, Any]:
    """Mixes each image with its partner, by a proportion of its own.

    Args:
      images: float32[b, h, w, c].
      targets: float32[b, k].
      partners: int64[b], index of each image's partner in the batch.
      seed: int64[2]; equal seeds give equal mixtures.
      mixing: kind and proportions.

    Returns:
      Images and targets of the same shapes. A `mixup` proportion is that of the brightness, a `cutmix` one that of the
      area, as it is after the box has been cut off at the borders.
    """
    size = tf.shape(images)[0]
    seeds = tf.random.experimental.stateless_split(seed, 3)
    kept = _beta(size, seeds[0], mixing.alpha)
    mixed = tf.random.stateless_uniform([size], seeds[1]) < mixing.probability
    kept = tf.where(mixed, kept, 1.0)
    others = tf.gather(images, partners)
    if mixing.kind == "mixup":
        share = kept[:, None, None, None]
        blended = share * images + (1.0 - share) * others
    else:
        inside = _boxes(tf.shape(images)[1], tf.shape(images)[2], kept, seeds[2])
        blended = tf.where(inside[..., None], others, images)
        kept = 1.0 - tf.reduce_mean(tf.cast(inside, tf.float32), axis=[1, 2])
    mixture = kept[:, None] * targets + (1.0 - kept[:, None]) * tf.gather(targets, partners)
    return tf.ensure_shape(blended, images.shape), tf.ensure_shape(mixture, targets.shape)


def random_partners(size: int, seed: Any) -> Any:
    """int64[size], a random order of the places of a batch; an image may be its own partner."""
    return tf.argsort(tf.random.stateless_uniform([size], seed))


def _beta(size: Any, seed: Any, alpha: float) -> Any:
    """float32[size] of the symmetric beta distribution; in double precision, as small alphas underflow."""
    parts = tf.random.stateless_gamma([2, size], seed, tf.constant(alpha, tf.float64), dtype=tf.float64)
    return tf.cast(tf.math.divide_no_nan(parts[0], parts[0] + parts[1]), tf.float32)


def _boxes(height: Any, width: Any, kept: Any, seed: Any) -> Any:
    """bool[b, h, w]: a box with a share `1 - kept` of the area around a uniform centre, cut off at the borders."""
    centres = tf.random.stateless_uniform([2, tf.shape(kept)[0]], seed)
    half = 0.5 * tf.sqrt(1.0 - kept)

    def within(length: Any, centre: Any) -> Any:
        places = (tf.cast(tf.range(length), tf.float32) + 0.5) / tf.cast(length, tf.float32)
        return tf.abs(places[None] - centre[:, None]) < half[:, None]

    return within(height, centres[0])[:, :, None] & within(width, centres[1])[:, None, :]
