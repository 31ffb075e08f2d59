"""RandAugment: each image goes through a few operations drawn at random (Cubuk et al., 2020); stateless.

`keras.layers.RandAugment` draws one operation for a whole batch from a state of its own, so that a batch would depend
on those before it. Here each image draws its own, as in the paper, and a batch is a pure function of its seed. The
images of a batch are parted by operation, so that each operation sees its own images only, all at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from evenhand.config import RandAugment
from evenhand.data.projective import transform

_LARGEST_ANGLE = math.radians(30.0)
_LARGEST_SHEAR = 0.3
_LARGEST_TRANSLATION = 0.3  # of height and width; the paper's 100 of 331 px
_LARGEST_CHANGE = 0.9  # of colour, contrast, brightness and sharpness
_MOST_BITS_LOST = 4

Operation = Callable[[Any, Any], Any]
"""float32[b, h, w, c] in 0..255 and signed magnitudes float32[b] in [-1, 1] -> float32[b, h, w, c]."""


def rand_augment(images: Any, seed: Any, settings: RandAugment) -> Any:
    """Sends each image through `settings.operations` of `OPERATIONS`.

    Args:
      images: float32[b, h, w, c] in 0..255.
      seed: int64[2]; equal seeds give equal changes.
      settings: number and magnitude of the operations.

    Returns:
      float32[b, h, w, c] in 0..255.
    """
    operations = tuple(OPERATIONS.values())
    size = tf.shape(images)[0]
    seeds = tf.reshape(tf.random.experimental.stateless_split(seed, 2 * settings.operations), [-1, 2, 2])
    changed = images
    for turn in range(settings.operations):
        which, sign = tf.unstack(seeds[turn])
        chosen = tf.random.stateless_uniform([size], which, 0, len(operations), tf.int32)
        signed = settings.magnitude * tf.sign(tf.random.stateless_uniform([size], sign, -1.0, 1.0))
        parts = tf.dynamic_partition(changed, chosen, len(operations))
        magnitudes = tf.dynamic_partition(signed, chosen, len(operations))
        places = tf.dynamic_partition(tf.range(size), chosen, len(operations))
        done = [operation(*part) for operation, *part in zip(operations, parts, magnitudes, strict=True)]
        changed = tf.reshape(tf.dynamic_stitch(places, done), tf.shape(images))
    return tf.ensure_shape(changed, images.shape)


def _affine(coefficients: Callable[[Any, Any, Any], tuple[Any, ...]]) -> Operation:
    """Images under a linear map about their centre and a shift: `(a, b, shift x, c, d, shift y)` by magnitude."""

    def operation(images: Any, magnitudes: Any) -> Any:
        height, width = (tf.cast(length, tf.float32) for length in tf.unstack(tf.shape(images)[1:3]))
        a, b, x, c, d, y = (value + tf.zeros_like(magnitudes) for value in coefficients(magnitudes, width, height))
        centre_x, centre_y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
        zero = tf.zeros_like(magnitudes)
        rows = [a, b, x + centre_x - a * centre_x - b * centre_y, c, d, y + centre_y - c * centre_x - d * centre_y]
        return transform(images, tf.stack([*rows, zero, zero], axis=1))

    return operation


def _rotation(magnitudes: Any, width: Any, height: Any) -> tuple[Any, ...]:
    del width, height
    cosine, sine = tf.cos(_LARGEST_ANGLE * magnitudes), tf.sin(_LARGEST_ANGLE * magnitudes)
    return cosine, -sine, 0.0, sine, cosine, 0.0


def _towards(degenerate: Callable[[Any], Any]) -> Operation:
    """Moves images away from, or towards, what `degenerate` makes of them: colour, contrast, brightness, sharpness."""

    def operation(images: Any, magnitudes: Any) -> Any:
        factor = 1.0 + _LARGEST_CHANGE * magnitudes[:, None, None, None]
        least = degenerate(images)
        return tf.clip_by_value(least + factor * (images - least), 0.0, 255.0)

    return operation


def _grey(images: Any) -> Any:
    """float32[b, h, w, c], luma by ITU-R 601; of a grey image the image itself."""
    if images.shape[-1] != 3:
        return images
    return tf.repeat(tf.reduce_sum(images * tf.constant([0.299, 0.587, 0.114]), axis=-1, keepdims=True), 3, axis=-1)


def _mean_grey(images: Any) -> Any:
    return tf.reduce_mean(_grey(images), axis=[1, 2], keepdims=True) + tf.zeros_like(images)


def _smooth(images: Any) -> Any:
    """A 3x3 mean with a heavier centre, as Pillow's SMOOTH; the border is left as it is."""
    # Sums rather than a convolution: oneDNN's gives no images a wrong shape.
    rows = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
    square = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    inner = (square + 4.0 * images[:, 1:-1, 1:-1]) / 13.0
    middle = tf.pad(tf.ones_like(inner), [[0, 0], [1, 1], [1, 1], [0, 0]])
    return tf.where(middle > 0, tf.pad(inner, [[0, 0], [1, 1], [1, 1], [0, 0]]), images)


def _posterize(images: Any, magnitudes: Any) -> Any:
    step = 2.0 ** tf.round(_MOST_BITS_LOST * tf.abs(magnitudes))[:, None, None, None]
    return tf.floor(images / step) * step


def _solarize(images: Any, magnitudes: Any) -> Any:
    threshold = 256.0 * (1.0 - tf.abs(magnitudes))[:, None, None, None]
    return tf.where(images < threshold, images, 255.0 - images)


def _auto_contrast(images: Any, magnitudes: Any) -> Any:
    """Stretches every channel to 0..255; one of a single value stays."""
    del magnitudes
    low, high = (reduce(images, axis=[1, 2], keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max))
    stretched = (images - low) * tf.math.divide_no_nan(255.0, high - low)
    return tf.where(high > low, stretched, images)


def _equalize(images: Any, magnitudes: Any) -> Any:
    """Makes the histogram of every channel even: a value becomes the share of pixels up to it."""
    del magnitudes
    shape = tf.shape(images)
    pixels = tf.cast(tf.clip_by_value(tf.round(images), 0.0, 255.0), tf.int32)
    flat = tf.reshape(tf.transpose(pixels, [0, 3, 1, 2]), [shape[0] * shape[3], shape[1] * shape[2]])
    # One counting over all channels: each has 256 bins of its own.
    channels = tf.range(tf.shape(flat)[0])[:, None]
    counts = tf.math.unsorted_segment_sum(
        tf.ones(tf.size(flat), tf.int32), tf.reshape(flat + 256 * channels, [-1]), 256 * tf.shape(flat)[0]
    )
    up_to = tf.cumsum(tf.reshape(counts, [-1, 256]), axis=1)
    below_darkest = tf.gather(up_to, tf.reduce_min(flat, axis=1), batch_dims=1)[:, None]
    spread = tf.cast(up_to - below_darkest, tf.float32)
    scale = tf.math.divide_no_nan(255.0, tf.cast(tf.shape(flat)[1] - below_darkest, tf.float32))
    table = tf.where(scale > 0, tf.round(spread * scale), tf.range(256, dtype=tf.float32)[None])
    evened = tf.reshape(tf.gather(table, flat, batch_dims=1), [shape[0], shape[3], shape[1], shape[2]])
    return tf.transpose(evened, [0, 2, 3, 1])


OPERATIONS: dict[str, Operation] = {
    "identity": lambda images, magnitudes: images,
    "auto_contrast": _auto_contrast,
    "equalize": _equalize,
    "rotate": _affine(_rotation),
    "solarize": _solarize,
    "color": _towards(_grey),
    "posterize": _posterize,
    "contrast": _towards(_mean_grey),
    "brightness": _towards(tf.zeros_like),
    "sharpness": _towards(_smooth),
    "shear_x": _affine(lambda m, width, height: (1.0, _LARGEST_SHEAR * m, 0.0, 0.0, 1.0, 0.0)),
    "shear_y": _affine(lambda m, width, height: (1.0, 0.0, 0.0, _LARGEST_SHEAR * m, 1.0, 0.0)),
    "translate_x": _affine(lambda m, width, height: (1.0, 0.0, _LARGEST_TRANSLATION * m * width, 0.0, 1.0, 0.0)),
    "translate_y": _affine(lambda m, width, height: (1.0, 0.0, 0.0, 0.0, 1.0, _LARGEST_TRANSLATION * m * height)),
}
"""The paper's fourteen."""
