"""Images read without splits: all classes, all own splits, one size, what cannot be read left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evenhand.config import Data
from evenhand.data.decode import to_pixels
from evenhand.data.readable_images import ReadableImages, open_readable
from evenhand.errors import UserError

SIZES = {"a/1.png": (10, 6), "a/2.jpg": (8, 8), "b/3.png": (8, 8)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, (width, height) in SIZES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (height, width), np.uint8)).save(tmp_path / name)
    (tmp_path / "b" / "broken.png").write_bytes(b"no image")
    (tmp_path / "b" / "notes.txt").write_text("no image either")
    return tmp_path


def opened(path: Path, source: str = "folder") -> ReadableImages:
    return open_readable(Data(source=source, path=str(path)), "mine")


def test_what_can_be_read_comes_in_order_at_one_size(folder: Path) -> None:
    images = opened(folder)
    assert len(images) == 3
    assert images.class_names == ("a", "b")
    assert images.labels.tolist() == [0, 0, 1]
    assert (images.num_skipped, images.channels, images.typical_size) == (2, 1, 8)
    expected = np.stack([to_pixels((folder / name).read_bytes(), 12, 3) for name in SIZES])
    np.testing.assert_array_equal(np.concatenate(list(images.chunks((12, 12, 3)))), expected)
    table = images.table((12, 12, 3))
    np.testing.assert_array_equal(table.images, expected)
    assert table.class_names == images.class_names and table.labels.tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="square"):
        next(images.chunks((12, 10, 3)))


def test_a_class_of_one_image_and_every_own_split_take_part(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (600, 4, 4, 3)).astype(np.uint8)
    np.savez(
        tmp_path / "a.npz",
        x_train=pixels[:500],
        y_train=np.arange(500) % 2,
        x_test=pixels[500:],
        y_test=np.array([2] + [0] * 99),
    )
    images = opened(tmp_path / "a.npz", "npz")
    assert np.bincount(images.labels).tolist() == [349, 250, 1]
    np.testing.assert_array_equal(np.concatenate(list(images.chunks((4, 4, 3)))), pixels)
    assert {len(chunk) for chunk in images.chunks((4, 4, 3))} == {256, 88}


def test_a_folder_without_class_folders_is_one_class(folder: Path) -> None:
    images = opened(folder / "b")
    assert (len(images), images.class_names, images.num_skipped) == (1, ("images",), 2)
    assert images.image_set.identify(0) == "folder/3.png"


def test_equal_pictures_are_told_whatever_their_files(folder: Path) -> None:
    Image.open(folder / "b" / "3.png").save(folder / "b" / "4.bmp")
    pictures = opened(folder).pictures
    assert pictures[2] == pictures[3]
    assert len(set(pictures)) == 3


def test_nothing_readable_is_an_error(folder: Path) -> None:
    for name in SIZES:
        (folder / name).write_bytes(b"no image")
    with pytest.raises(UserError, match=r"mine: none of its images can be read \(e\.g\. folder/a/1\.png is no PNG"):
        opened(folder)
