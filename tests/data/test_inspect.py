"""What `evenhand inspect` tells of a source."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

from evenhand.config import Data
from evenhand.data.inspect import inspect
from evenhand.errors import UserError


def test_a_folder_with_a_little_of_everything(make_folder):
    root = make_folder({"a": 40, "b": 10})
    shutil.copy(root / "a" / "000.png", root / "a" / "copy.png")
    (root / "b" / "text.png").write_text("no image")
    Image.new("RGB", (30, 20), (9, 8, 7)).save(root / "b" / "large.png")
    found = inspect(Data(source="folder", path=str(root)), seed=0)
    assert found.source == f"folder: {root}"
    assert found.class_names == ("a", "b") and found.counts == (41, 11) and found.num_images == 52
    assert found.imbalance_ratio == pytest.approx(41 / 11)
    assert (found.duplicates, found.conflicting, found.groups, found.channels) == (1, 0, None, 3)
    assert found.skipped == (("folder/b/text.png", "is no PNG, JPEG, BMP, GIF or WebP image"),)
    assert (found.heights.low, found.heights.median, found.heights.high) == (12, 12, 20)
    assert (found.widths.low, found.widths.median, found.widths.high) == (12, 12, 30)
    assert found.own_splits == {} and found.problem is None
    assert found.splits["test"] == (10, 3)
    assert [sum(counts) for counts in zip(*found.splits.values(), strict=True)] == [41, 11]


def test_own_splits(make_folder, tmp_path):
    make_folder({"a": 20, "b": 12}, name="data/train")
    make_folder({"a": 5, "b": 3}, name="data/test")
    found = inspect(Data(source="folder", path=str(tmp_path / "data")), seed=0)
    assert found.own_splits == {"train": (20, 12), "test": (5, 3)}


def test_what_cannot_be_split_is_still_inspected(make_folder):
    root = make_folder({"a": 20, "b": 3})
    for number in (1, 2):
        shutil.copy(root / "b" / "000.png", root / "b" / f"00{number}.png")
    found = inspect(Data(source="folder", path=str(root)), seed=0)
    assert found.counts == (20, 3) and found.splits == {}
    assert found.problem is not None and "class 'b' (3 readable images) has no image left for" in found.problem


def test_fashion_mnist(datasets):
    found = inspect(Data(source="npz", path=str(datasets / "fashion_mnist.npz")), seed=0)
    assert found.counts == (7000,) * 10 and found.imbalance_ratio == 1.0 and found.channels == 1
    assert found.own_splits == {"train": (6000,) * 10, "test": (1000,) * 10}
    assert found.heights.low == found.widths.high == 28


def test_a_source_that_cannot_be_opened_is_an_error(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        inspect(Data(source="folder", path=str(tmp_path / "gone")), seed=0)
