"""From an encoded image to pixels inside a TensorFlow graph, as `evenhand.data.decode` does it with Pillow.

Both turn a JPEG as its EXIF tag says, drop transparency, average over all pixels when they shrink, and round to whole
numbers; they differ by a unit or two in 255, since Pillow rounds between its two passes and JPEG decoders differ. Two
things are read otherwise here: a BMP with a palette, whose indices TensorFlow takes for grey values, and the EXIF tag
of a PNG or WebP file, which is not looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

_EXIF_MARKER = b"Exif\x00\x00"
_EXIF_BYTES = 1 << 16  # an EXIF segment is at most as long, and stands at the beginning
# An entry of the tag 0x0112 in one 16-bit number; its value is the byte at the offset given.
_ORIENTATION_LITTLE, _VALUE_LITTLE = b"\x12\x01\x03\x00\x01\x00\x00\x00", 8
_ORIENTATION_BIG, _VALUE_BIG = b"\x01\x12\x00\x03\x00\x00\x00\x01", 9
_LUMA = (19595.0, 38470.0, 7471.0)  # ITU-R 601 in 1/65536, as Pillow has it


def decode_image_file(encoded: Any, height: int, width: int, channels: int) -> Any:
    """Decodes an image of any size, stretched to the model's.

    Args:
      encoded: scalar string: PNG, JPEG, GIF (first frame), BMP or WebP.
      height: px, of the result.
      width: px, of the result.
      channels: 1 or 3, of the result.

    Returns:
      float32[height, width, channels] of whole numbers in 0..255.
    """
    pixels = tf.cond(
        tf.io.is_jpeg(encoded),
        # The accurate transform is Pillow's; decode_image takes the fast one.
        lambda: _turned(
            tf.io.decode_jpeg(encoded, channels=0, dct_method="INTEGER_ACCURATE"), _exif_orientation(encoded)
        ),
        lambda: tf.io.decode_image(encoded, channels=0, expand_animations=False),
    )
    pixels.set_shape([None, None, None])
    # Two channels are grey with transparency, four are RGB with it.
    is_grey = tf.shape(pixels)[2] < 3
    pixels = tf.cond(is_grey, lambda: tf.repeat(pixels[:, :, :1], 3, axis=2), lambda: pixels[:, :, :3])
    resized = _rounded(tf.image.resize(pixels, (height, width), method="bilinear", antialias=True))
    if channels == 1:
        resized = tf.floor((tf.tensordot(resized, tf.constant(_LUMA), 1)[:, :, tf.newaxis] + 32768.0) / 65536.0)
    return tf.ensure_shape(resized, [height, width, channels])


def decode_example_image(encoded: Any, height: int, width: int, channels: int) -> Any:
    """Decodes the PNG of a record, which has the model's size already.

    Args:
      encoded: scalar string.
      height: px.
      width: px.
      channels: 1 or 3.

    Returns:
      float32[height, width, channels] of whole numbers in 0..255.
    """
    pixels = tf.io.decode_png(encoded, channels=channels)
    return tf.cast(tf.ensure_shape(pixels, [height, width, channels]), tf.float32)


def _rounded(pixels: Any) -> Any:
    return tf.clip_by_value(tf.floor(pixels + 0.5), 0.0, 255.0)


def _exif_orientation(encoded: Any) -> Any:
    """The EXIF tag Orientation, int32 in 1..8; 1, which means upright, where there is none."""
    head = tf.strings.substr(encoded, 0, _EXIF_BYTES)
    # Padding lets every pattern be looked for in a file of any length.
    data = tf.concat([tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32), tf.zeros(16, tf.int32)], axis=0)
    exif = _find(data, _EXIF_MARKER)
    segment = data[tf.maximum(exif, 0) + len(_EXIF_MARKER) :]
    is_little = tf.equal(segment[0], ord("I"))
    little, big = _find(segment, _ORIENTATION_LITTLE), _find(segment, _ORIENTATION_BIG)
    entry = tf.where(is_little, little, big)
    place = tf.maximum(entry, 0) + tf.where(is_little, _VALUE_LITTLE, _VALUE_BIG)
    value = segment[tf.minimum(place, tf.size(segment) - 1)]
    is_tag = (exif >= 0) & (entry >= 0) & (value >= 1) & (value <= 8)
    return tf.where(is_tag, value, 1)


def _find(data: Any, pattern: Sequence[int]) -> Any:
    """Where `pattern` first begins in int32[n], or -1."""
    last = tf.size(data) - len(pattern)
    matches = tf.reduce_all([data[i : last + i] == byte for i, byte in enumerate(pattern)], axis=0)
    return tf.where(tf.reduce_any(matches), tf.argmax(tf.cast(matches, tf.int32), output_type=tf.int32), -1)


def _turned(pixels: Any, orientation: Any) -> Any:
    """The upright picture: transposed for 5 to 8, then mirrored left-right, top-bottom, or both."""
    pixels = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    pixels = tf.cond(_is_one_of(orientation, (2, 3, 6, 7)), lambda: tf.reverse(pixels, [1]), lambda: pixels)
    return tf.cond(_is_one_of(orientation, (3, 4, 7, 8)), lambda: tf.reverse(pixels, [0]), lambda: pixels)


def _is_one_of(value: Any, choices: Sequence[int]) -> Any:
    return tf.reduce_any(tf.equal(value, choices))
