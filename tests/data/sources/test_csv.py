"""Tables of images, with and without splits and groups."""

from __future__ import annotations

import pytest

from evenhand.config import Data
from evenhand.data.fingerprint import fingerprint
from evenhand.data.load import open_images
from evenhand.data.prepare import prepare
from evenhand.errors import UserError


def write(root, text: str, name: str = "table.csv"):
    path = root / name
    path.write_text(text, encoding="utf-8")
    return path


def opened(path, **settings):
    return open_images(Data(source="csv", path=str(path), **settings))


@pytest.fixture
def root(make_folder):
    return make_folder({"x": 6})


def test_columns_in_any_order_with_splits_and_groups(root):
    table = write(
        root,
        "\ufefflabel,group,image,split\n"
        "dog,ann,x/000.png,train\ncat,bob,x/001.png,test\n\ndog,bob,x/002.png,\ncat,ann,x/003.png,Validation\n",
    )
    images = opened(table)
    assert images.class_names == ("cat", "dog")
    assert images.labels.tolist() == [1, 0, 1, 0]
    assert images.splits.tolist() == [1, 3, 0, 2]
    assert images.groups.tolist() == [0, 1, 1, 0]
    assert images.identify(1) == "csv/x/001.png"
    assert images.read(1) == (root / "x" / "001.png").read_bytes()


def test_another_column_may_hold_the_groups(root):
    table = write(root, "image,label,patient\nx/000.png,a,7\nx/001.png,a,8\nx/002.png,b,7\nx/003.png,b,9\n")
    assert opened(table).groups is None
    assert opened(table, group="patient").groups.tolist() == [0, 1, 0, 2]


def test_absolute_paths(root, tmp_path):
    rows = [f"{root}/x/00{number}.png,{'ab'[number % 2]}" for number in range(4)]
    table = write(tmp_path, "\n".join(["image,label", *rows]))
    assert opened(table).read(3) == (root / "x" / "003.png").read_bytes()


def test_a_missing_image_is_skipped(make_folder):
    root = make_folder({"x": 20, "y": 20})
    rows = [f"{name}/{number:03d}.png,{name}" for name in "xy" for number in range(20)]
    table = write(root, "\n".join(["image,label", *rows, "x/gone.png,x"]))
    preparation = prepare(Data(source="csv", path=str(table)), seed=0)
    assert preparation.skipped == (("csv/x/gone.png", "cannot be read (No such file or directory)"),)


def test_a_name_too_long_for_a_file_counts_as_missing(root):
    table = write(root, f"image,label\nx/000.png,a\n{'x' * 300}.png,b\n")
    assert len(fingerprint(Data(source="csv", path=str(table)))) == 32


def test_the_fingerprint_covers_table_and_images(root):
    table = write(root, "image,label\nx/000.png,a\nx/001.png,b\nx/gone.png,b\n")
    config = Data(source="csv", path=str(table))
    seen = [fingerprint(config)]
    (root / "x" / "000.png").write_bytes(b"other")
    seen.append(fingerprint(config))
    write(root, "image,label\nx/000.png,b\nx/001.png,b\nx/gone.png,b\n")
    seen.append(fingerprint(config))
    assert len(set(seen)) == 3


@pytest.mark.parametrize(
    "text, settings, words",
    [
        ("file,label\nx,y\n", {}, "table.csv: has no column 'image'"),
        ("image\nx\n", {}, "table.csv: has no column 'label'"),
        ("", {}, "table.csv: has no column 'image'"),
        ("image,label\n", {}, "table.csv: has no rows"),
        ("image,label\nx/000.png\n", {}, "table.csv, line 2: has 1 fields"),
        ("image,label\nx/000.png,a\nx/001.png,\n", {}, "table.csv, line 3: the label is empty"),
        ("image,label\nx/0\0.png,a\n", {}, "table.csv, line 2: the image's path holds a null character"),
        ("image,label,split\nx/000.png,a,dev\n", {}, "table.csv, line 2: unknown split 'dev'"),
        (
            "image,label\nx/000.png,a\n",
            {"group": "patient"},
            "table.csv: has no column 'patient'; name one that is there in data.group",
        ),
        ("image,label\nx/000.png,a\nx/001.png,a\n", {}, "at least two classes"),
    ],
)
def test_wrong_tables_are_named(root, text, settings, words):
    with pytest.raises(UserError, match=words):
        opened(write(root, text), **settings)


def test_bytes_that_are_no_text(root):
    (root / "table.csv").write_bytes(b"image,label\n\xff\xfe,a\n")
    with pytest.raises(UserError, match="is no CSV file in UTF-8"):
        opened(root / "table.csv")
