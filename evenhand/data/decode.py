"""From a file's bytes to pixels: formats, limits, EXIF rotation, palettes, 16 bits, and the one resize there is."""

from __future__ import annotations

import io
import os
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin

from evenhand.data import marks

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
"""What Pillow may open; all else is refused, so that its rarely used decoders never see a stranger's file."""

MAX_PIXELS = 64_000_000
"""Largest width times height that is decoded: a file of a few bytes can declare an image of gigabytes."""

MAX_FILE_BYTES = 256 * 2**20
"""Largest encoded file that is read."""


class UnreadableImage(Exception):  # noqa: N818 - it names the state of an image, and is counted more often than shown
    """An image that cannot be used; the message says why in a few words."""


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The contents of an image file.

    Raises:
      UnreadableImage: if it is no regular file or larger than `MAX_FILE_BYTES`.
      OSError: if it cannot be read.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        # A device or a pipe may never end.
        raise UnreadableImage("is no regular file")
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
            raise UnreadableImage(f"is larger than {MAX_FILE_BYTES // 2**20} MiB")
        return file.read(MAX_FILE_BYTES)


def decode(encoded: bytes) -> NDArray[np.uint8]:
    """Decodes an image file at its own size.

    The picture is turned as its EXIF tag says, palettes become colours, 16 bits become the upper 8, transparency is
    dropped, and of an animation the first frame is taken.

    Args:
      encoded: contents of a PNG, JPEG, BMP, GIF or WebP file.

    Returns:
      uint8[h, w, 1] where every pixel is grey, whatever the file's own mode, else uint8[h, w, 3].

    Raises:
      UnreadableImage: if it is no such file, is damaged, or has more than `MAX_PIXELS` pixels.
    """
    try:
        # The decoder's own objections to a stranger's bytes have no common type (OSError, SyntaxError, ValueError,
        # struct.error, zlib.error, DecompressionBombError …).
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            check_size(image.width, image.height)
            return canonical(_pixels(image))
    except UnreadableImage:
        raise
    except Image.UnidentifiedImageError as error:
        raise UnreadableImage("is no PNG, JPEG, BMP, GIF or WebP image") from error
    except Exception as error:
        raise UnreadableImage(f"is damaged ({error})") from error


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """The decoded first frame as uint8[h, w] or uint8[h, w, 3 | 4]."""
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith("I"):  # 16-bit grey comes as "I;16", "I;16B" or, widened, as "I".
        wide = np.asarray(turned).astype(np.int64)
        return np.clip(wide >> 8, 0, 255).astype(np.uint8)
    if turned.mode in ("1", "L", "LA"):
        return np.asarray(turned.convert("L"))
    # A palette's transparency may be a list, which Pillow drops only by way of RGBA without complaining.
    return np.asarray(turned.convert("RGBA" if turned.mode in ("P", "PA") else "RGB"))


def check_size(width: int, height: int) -> None:
    """Raises `UnreadableImage` if an image of this size may not be decoded."""
    if width * height > MAX_PIXELS:
        raise UnreadableImage(f"has {width} x {height} pixels, more than the {MAX_PIXELS // 10**6} million allowed")
    if not width * height:
        raise UnreadableImage("has no pixels")


def canonical(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The form in which equal pictures are equal arrays: no transparency, one channel where every pixel is grey.

    Args:
      pixels: uint8[h, w] or uint8[h, w, 1 | 3 | 4].

    Returns:
      uint8[h, w, 1] or uint8[h, w, 3].
    """
    if pixels.ndim == 2:
        return pixels[:, :, np.newaxis]
    colours = pixels[:, :, :3]
    if colours.shape[2] == 1:
        return colours
    red = colours[:, :, :1]
    return red if np.array_equal(red, colours[:, :, 1:2]) and np.array_equal(red, colours[:, :, 2:]) else colours


def at_own_size(encoded_or_pixels: bytes | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image as a source gives it, in canonical form: uint8[h, w, 1 | 3].

    Args:
      encoded_or_pixels: contents of an image file, or uint8[h, w] or uint8[h, w, 1 | 3 | 4].

    Raises:
      UnreadableImage: as `decode`.
    """
    return decode(encoded_or_pixels) if isinstance(encoded_or_pixels, bytes) else canonical(encoded_or_pixels)


def to_pixels(encoded_or_pixels: bytes | NDArray[np.uint8], image_size: int, channels: int) -> NDArray[np.uint8]:
    """An image as every model sees it: square, stretched to `image_size`, grey or RGB.

    The resize is Pillow's bilinear one, which averages over all pixels when it shrinks, so that nothing is skipped.

    Args:
      encoded_or_pixels: contents of an image file, or uint8[h, w] or uint8[h, w, 1 | 3 | 4].
      image_size: height and width in pixels.
      channels: 1 (grey, luma as in ITU-R 601) or 3 (RGB).

    Returns:
      uint8[image_size, image_size, channels].

    Raises:
      UnreadableImage: as `decode`.
    """
    pixels = at_own_size(encoded_or_pixels)
    size = (image_size, image_size)
    if pixels.shape == (*size, channels):
        return np.ascontiguousarray(pixels)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    image = image.convert("L" if channels == 1 else "RGB")
    return np.asarray(image).reshape(*size, channels)


def encode_png(pixels: NDArray[np.uint8], *, synthetic: bool = False) -> bytes:
    """PNG of uint8[h, w, 1 | 3], at the fastest compression level: TFRecord shards are compressed once more.

    Args:
      pixels: of the image.
      synthetic: whether a model made it, which the file then says of itself (see `marks`).
    """
    output = io.BytesIO()
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.save(output, "PNG", compress_level=1, pnginfo=_mark() if synthetic else None)
    return output.getvalue()


@cache
def _mark() -> PngImagePlugin.PngInfo:
    mark = PngImagePlugin.PngInfo()
    mark.add_text(marks.PNG_KEYWORD, marks.DIGITAL_SOURCE_TYPE)
    mark.add_itxt(marks.XMP_KEYWORD, marks.XMP)
    return mark
