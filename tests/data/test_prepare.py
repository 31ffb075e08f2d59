"""The whole way from a source to splits, on real files."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from evenhand import progress
from evenhand.config import Classes, Data
from evenhand.data.image_set import SPLITS
from evenhand.data.prepare import prepare
from evenhand.errors import UserError


def ids(preparation, split: str) -> set[str]:
    rows = np.flatnonzero(preparation.split == SPLITS.index(split))
    return {preparation.image_set.identify(int(row)) for row in rows}


def test_the_demo_has_a_tail_of_three_to_ten():
    preparation = prepare(Data(), seed=0)
    kept = preparation.counts["train"] + preparation.counts["validation"]
    assert kept.tolist() == [100, 65, 43, 28, 18, 12, 8, 5, 4, 3]
    assert preparation.channels == 1
    assert preparation.counts["test"].min() >= 43


def test_progress_counts_every_image(make_folder):
    reports = []
    with progress.listen(reports.append):
        prepare(Data(source="folder", path=str(make_folder({"a": 300, "b": 20}))), seed=0)
    assert [(report.task, report.done, report.total) for report in reports] == [
        ("scan images", 256, 320),
        ("scan images", 320, 320),
    ]


def test_copies_stand_on_one_side_whatever_their_format(make_folder):
    root = make_folder({"a": 40, "b": 40})
    for number in range(20):
        original = root / "a" / f"{number:03d}.png"
        if number % 2:
            shutil.copy(original, root / "a" / f"copy-{number:03d}.png")
        else:
            Image.open(original).save(root / "a" / f"copy-{number:03d}.bmp")
    for seed in range(3):
        preparation = prepare(Data(source="folder", path=str(root)), seed)
        assert preparation.duplicates == 20 and preparation.conflicting == 0
        side = {
            preparation.image_set.identify(row): preparation.split[row] for row in range(len(preparation.image_set))
        }
        for number in range(20):
            copy = f"folder/a/copy-{number:03d}.{'png' if number % 2 else 'bmp'}"
            assert side[f"folder/a/{number:03d}.png"] == side[copy] > 0


def test_one_picture_under_two_labels_is_reported_and_kept_together(make_folder):
    root = make_folder({"a": 20, "b": 20})
    shutil.copy(root / "a" / "000.png", root / "b" / "copy.png")
    preparation = prepare(Data(source="folder", path=str(root)), seed=0)
    assert (preparation.duplicates, preparation.conflicting) == (1, 2)
    assert sum({"folder/a/000.png", "folder/b/copy.png"} <= ids(preparation, split) for split in SPLITS[1:]) == 1


def test_groups_stand_on_one_side(make_folder):
    root = make_folder({"a": 60, "b": 60})  # files 000.png … 059.png: the first two digits are the person
    preparation = prepare(Data(source="folder", path=str(root), group=r"^(\d\d)"), seed=0)
    people = {split: {name.split("/")[-1][:2] for name in ids(preparation, split)} for split in SPLITS[1:]}
    assert people["test"] and people["validation"]
    assert not people["train"] & people["test"]
    assert not people["train"] & people["validation"]
    assert not people["validation"] & people["test"]


def test_unreadable_images_are_skipped_and_counted(make_folder):
    root = make_folder({"a": 20, "b": 20})
    (root / "a" / "text.png").write_text("no image")
    (root / "b" / "000.png").write_bytes((root / "b" / "000.png").read_bytes()[:60])
    (root / "b" / "notes.txt").write_text("mine")
    preparation = prepare(Data(source="folder", path=str(root)), seed=0)
    skipped = dict(preparation.skipped)
    assert sorted(skipped) == ["folder/a/text.png", "folder/b/000.png", "folder/b/notes.txt"]
    assert skipped["folder/a/text.png"] == "is no PNG, JPEG, BMP, GIF or WebP image"
    assert skipped["folder/b/000.png"].startswith("is damaged")
    assert sum(counts.sum() for counts in preparation.counts.values()) == 39


def test_strict_refuses_them(make_folder):
    root = make_folder({"a": 20, "b": 20})
    (root / "a" / "text.png").write_text("no image")
    with pytest.raises(UserError, match=r"folder/a/text.png: is no PNG, JPEG, BMP, GIF or WebP image; repair"):
        prepare(Data(source="folder", path=str(root), strict=True), seed=0)


def test_a_folder_of_nothing_readable_is_refused(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.png").write_text("no image")
    with pytest.raises(UserError, match="none of its images can be read"):
        prepare(Data(source="folder", path=str(tmp_path)), seed=0)


def test_channels_are_grey_only_where_every_pixel_is(make_folder):
    root = make_folder({"a": 15, "b": 15})
    for path in root.rglob("*.png"):
        Image.open(path).convert("L").convert("RGB").save(path)
    config = Data(source="folder", path=str(root))
    assert prepare(config, seed=0).channels == 1
    Image.new("RGB", (9, 9), (200, 10, 10)).save(root / "a" / "red.png")
    assert prepare(config, seed=0).channels == 3
    assert prepare(config.model_copy(update={"channels": 1}), seed=0).channels == 1


def test_sign_language_digits(datasets):
    config = Data(source="folder", path=str(datasets / "sign_language_digits"))
    preparation = prepare(config, seed=0)
    counts = sum(preparation.counts.values())
    assert preparation.image_set.class_names == tuple("0123456789")
    assert counts.min() >= 160 and not preparation.skipped
    assert preparation.channels == 3


def test_a_class_dropped_by_hand_leaves_the_others(make_folder):
    root = make_folder({"a": 20, "b": 20, "c": 20})
    preparation = prepare(Data(source="folder", path=str(root), classes=Classes(exclude=("b",))), seed=0)
    assert preparation.image_set.class_names == ("a", "c")
    assert {name.split("/")[1] for name in ids(preparation, "train")} == {"a", "c"}
