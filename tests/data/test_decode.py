"""Every format and mode gives the pixels that were stored; what is no image, or too large, is refused in words."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from evenhand.data import decode

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
GREY = RGB[:, :, 0]


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes that declares any size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind, options", [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_lossless_formats_give_the_stored_pixels(kind, options):
    np.testing.assert_array_equal(decode.decode(encoded(Image.fromarray(RGB), kind, **options)), RGB)


def test_jpeg_is_near_the_stored_pixels():
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[:, None, None], (1, 64, 3)) // np.array(
        [1, 2, 4], np.uint8
    )
    error = np.abs(decode.decode(encoded(Image.fromarray(smooth), "JPEG", quality=95)).astype(int) - smooth)
    assert error.mean() < 3


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
def test_grey_pictures_have_one_channel_in_every_mode(mode):
    picture = np.where(GREY > 127, 255, 0).astype(np.uint8)
    pixels = decode.decode(encoded(Image.fromarray(picture).convert(mode), "PNG"))
    np.testing.assert_array_equal(pixels, picture[:, :, None])


def test_transparency_is_dropped_not_composed():
    image = Image.fromarray(np.dstack([RGB, np.zeros_like(GREY)]))
    np.testing.assert_array_equal(decode.decode(encoded(image, "PNG")), RGB)


def test_palettes_become_colours():
    image = Image.fromarray(RGB).quantize(200)
    np.testing.assert_array_equal(decode.decode(encoded(image, "PNG")), np.asarray(image.convert("RGB")))


@pytest.mark.filterwarnings("error")
def test_a_palette_with_transparency_keeps_its_colours():
    image = Image.fromarray(RGB).quantize(8)
    content = encoded(image, "PNG", transparency=bytes([0, 128, 255]))
    np.testing.assert_array_equal(decode.decode(content), np.asarray(image.convert("RGB")))


def test_16_bit_grey_keeps_the_upper_8_bits():
    wide = np.array([[0, 255, 256], [32768, 65535, 513]], np.uint16)
    np.testing.assert_array_equal(
        decode.decode(encoded(Image.fromarray(wide), "PNG"))[:, :, 0], [[0, 0, 1], [128, 255, 2]]
    )


def test_exif_rotation_is_applied():
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = 6  # stored lying on its left side: turn clockwise
    np.testing.assert_array_equal(decode.decode(encoded(image, "PNG", exif=exif)), np.rot90(RGB, -1))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(kind):
    frames = [Image.fromarray(np.full((5, 5), level, np.uint8)) for level in (40, 90, 200)]
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = decode.decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    np.testing.assert_array_equal(pixels, np.full((5, 5, 1), 40))


def test_a_text_file_is_no_image():
    with pytest.raises(decode.UnreadableImage, match="is no PNG, JPEG, BMP, GIF or WebP image"):
        decode.decode(b"not an image at all")


def test_formats_outside_the_list_are_refused():
    with pytest.raises(decode.UnreadableImage, match="is no PNG"):
        decode.decode(encoded(Image.fromarray(RGB), "TIFF"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_a_truncated_file_is_damaged(kind):
    content = encoded(Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)), kind)
    with pytest.raises(decode.UnreadableImage):
        decode.decode(content[: len(content) // 2])


@pytest.mark.parametrize("size", [(10_000, 10_000), (50_000, 50_000)])
def test_a_decompression_bomb_is_refused_by_its_header(size):
    with pytest.raises(decode.UnreadableImage):
        decode.decode(huge_png(*size))


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(content):
    with contextlib.suppress(decode.UnreadableImage):
        decode.decode(b"\x89PNG\r\n\x1a\n" + content)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))))
def test_encode_png_is_undone_by_pillow(pixels):
    image = Image.open(io.BytesIO(decode.encode_png(pixels)))
    assert image.mode == {1: "L", 3: "RGB"}[pixels.shape[2]]
    np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_encode_png_is_read_by_tensorflow():
    import tensorflow as tf

    np.testing.assert_array_equal(tf.io.decode_png(decode.encode_png(RGB)).numpy(), RGB)


def test_to_pixels_is_square_and_of_the_channels_asked_for():
    assert decode.to_pixels(RGB, 8, 3).shape == (8, 8, 3)
    assert decode.to_pixels(GREY, 8, 3).shape == (8, 8, 3)
    grey = decode.to_pixels(RGB, 6, 1)
    resized = Image.fromarray(RGB).resize((6, 6), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(grey[:, :, 0], np.asarray(resized.convert("L")))


def test_shrinking_averages_over_all_pixels():
    stripes = np.tile(np.array([[0], [255]], np.uint8), (32, 64))
    assert abs(decode.to_pixels(stripes, 8, 1).astype(int) - 127).max() < 12


def test_arrays_and_files_of_one_picture_are_the_same():
    for pixels in (RGB, GREY):
        from_file = decode.to_pixels(encoded(Image.fromarray(pixels), "PNG"), 16, 3)
        np.testing.assert_array_equal(from_file, decode.to_pixels(pixels, 16, 3))
