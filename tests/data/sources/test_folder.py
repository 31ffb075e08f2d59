"""Class folders, split folders, groups, and what is not an image."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from evenhand.config import Data
from evenhand.data.decode import decode
from evenhand.data.export import export_images
from evenhand.data.load import open_images
from evenhand.data.marks import MANIFEST
from evenhand.data.sources import folder
from evenhand.errors import UserError


def opened(root, **settings):
    return open_images(Data(source="folder", path=str(root), **settings))


def test_classes_labels_ids_and_contents(make_folder):
    root = make_folder({"rare sign": 2, "common": 3})
    images = opened(root)
    assert images.class_names == ("common", "rare sign")
    assert images.labels.tolist() == [0, 0, 0, 1, 1]
    assert images.splits.tolist() == [0] * 5
    assert images.identify(4) == "folder/rare sign/001.png"
    np.testing.assert_array_equal(decode(images.read(4)), np.asarray(Image.open(root / "rare sign" / "001.png")))


def test_numbers_are_ordered_by_value(make_folder):
    assert opened(make_folder({"10": 2, "9": 2, "1": 2})).class_names == ("1", "9", "10")


def test_split_folders(make_folder, tmp_path):
    make_folder({"a": 2, "b": 2}, name="data/train")
    make_folder({"a": 1}, name="data/val")
    make_folder({"b": 3}, name="data/test")
    images = opened(tmp_path / "data")
    found = {(images.identify(row), int(images.labels[row])): int(images.splits[row]) for row in range(len(images))}
    assert found == {
        ("folder/train/a/000.png", 0): 1, ("folder/train/a/001.png", 0): 1,
        ("folder/train/b/000.png", 1): 1, ("folder/train/b/001.png", 1): 1,
        ("folder/val/a/000.png", 0): 2,
        ("folder/test/b/000.png", 1): 3, ("folder/test/b/001.png", 1): 3, ("folder/test/b/002.png", 1): 3,
    }  # fmt: skip


def test_train_and_test_may_be_classes_beside_others(make_folder):
    assert opened(make_folder({"train": 2, "bus": 2})).class_names == ("bus", "train")


def test_splits_beside_another_folder_are_no_classes(make_folder, tmp_path):
    for split in ("train", "test"):
        make_folder({"a": 2, "b": 2}).rename(tmp_path / split)
    (tmp_path / "docs").mkdir()
    with pytest.raises(UserError, match=r"holds train/ with folders of classes in it beside docs, .*; move docs away"):
        opened(tmp_path)


def test_hidden_files_and_files_beside_the_classes_are_ignored(make_folder):
    root = make_folder({"a": 2, "b": 2})
    (root / "LICENSE").write_text("free")
    (root / "a" / ".DS_Store").write_text("")
    (root / ".git").mkdir()
    images = opened(root)
    assert len(images) == 4 and not images.unreadable


def test_deeper_folders_belong_to_the_class_above(make_folder):
    root = make_folder({"a/summer": 2, "a/winter": 2, "b": 2})
    images = opened(root)
    assert images.class_names == ("a", "b") and images.identify(3) == "folder/a/winter/001.png"


def test_groups_are_numbered_by_the_expression(make_folder):
    root = make_folder({"a": 3, "b": 3})
    images = opened(root, group=r"(\d)\.png")
    assert images.groups.tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    "expression, words",
    [
        ("(", "data.group: is no regular expression"),
        (r"\d", "data.group: has no group in parentheses"),
        (r"patient(\d)", "data.group: does not match the file name '000.png'"),
    ],
)
def test_expressions_that_do_not_fit(make_folder, expression, words):
    with pytest.raises(UserError, match=words):
        opened(make_folder({"a": 2, "b": 2}), group=expression)


def test_what_is_no_folder_of_images_is_refused(tmp_path, make_folder):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="missing: does not exist"):
        opened(tmp_path / "missing")
    with pytest.raises(UserError, match="file: is no folder"):
        opened(tmp_path / "file")
    with pytest.raises(UserError, match="empty: holds no images in class folders"):
        opened(tmp_path / "empty")
    with pytest.raises(UserError, match="data.path: is not set"):
        open_images(Data(source="folder"))
    with pytest.raises(UserError, match="at least two classes"):
        opened(make_folder({"a": 5}, name="single"))
    with pytest.raises(UserError, match="data.options.shape: there is no such option; it takes no options"):
        opened(make_folder({"a": 5}, name="other"), options={"shape": 3})


def test_file_names_that_are_no_text(make_folder):
    import os

    root = make_folder({"a": 2, "b": 2})
    os.rename(os.fsencode(root / "a" / "000.png"), os.fsencode(root / "a") + b"/\xff.png")
    images = opened(root)
    names = [images.identify(row) for row in range(4)]
    assert "folder/a/\ufffd.png" in names
    assert all(images.read(row)[:4] == b"\x89PNG" for row in range(4))


def export(output, names=("a/b", "a|b", "c"), real=()):
    images = [(np.full((4, 4, 1), number, np.uint8), number % 3, number) for number in range(9)]
    ids = (
        (pixels, label, f"synthetic/cgan/{names[label]}/{n}" if n not in real else str(n))
        for pixels, label, n in images
    )
    export_images(ids, names, output, "folder")
    return output


def test_the_manifest_of_an_export_names_its_classes(tmp_path):
    # Real images stand in the same folders and have no line of their own.
    root = export(tmp_path / "out", real=(0, 4))
    images = opened(root)
    assert images.class_names == ("a/b", "a|b", "c")
    found = {images.identify(row): images.class_names[images.labels[row]] for row in range(len(images))}
    assert found["folder/a_b/000000.png"] == found["folder/a_b/000001.png"] == "a/b" and len(found) == 9


def test_the_manifest_below_a_split_counts_for_that_split(tmp_path):
    export(tmp_path / "data" / "train")
    export(tmp_path / "data" / "test", names=("a_b", "a|b", "c"))
    images = opened(tmp_path / "data")
    assert images.class_names == ("a/b", "a_b", "a|b", "c")
    assert images.splits[images.labels == 0].tolist() == [1] * 3


def test_classes_that_the_manifest_calls_otherwise_are_another_source(tmp_path):
    root = export(tmp_path / "out")
    manifest = root / MANIFEST
    seen = [folder.fingerprint(Data(source="folder", path=str(root)))]
    manifest.write_text(manifest.read_text().replace('"a/b"', '"a:b"'))
    seen.append(folder.fingerprint(Data(source="folder", path=str(root))))
    manifest.unlink()
    seen.append(folder.fingerprint(Data(source="folder", path=str(root))))
    assert len(set(seen)) == 3


@pytest.mark.parametrize("content", [b"", b'{"image": "x.png"}\n', b"\xff\xfe", b"[1]"])
def test_a_manifest_of_another_program_is_none_of_our_business(make_folder, content):
    root = make_folder({"a": 2, "b": 2})
    (root / MANIFEST).write_bytes(content)
    assert opened(root).class_names == ("a", "b")


def test_a_damaged_manifest_is_named_with_its_line(tmp_path):
    root = export(tmp_path / "out")
    with open(root / MANIFEST, "a") as manifest:
        manifest.write('{"file": "a_b/0000')
    with pytest.raises(UserError, match=r"manifest\.jsonl, line 10: is no line of a manifest"):
        opened(root)
