"""Exported images are read back by others' readers and by ours."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from evenhand.config import Data
from evenhand.data import decode
from evenhand.data.export import export_images
from evenhand.data.load import open_images
from evenhand.errors import UserError

NAMES = ["hat", "bag"]


def pictures(channels: int = 3, count: int = 7):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 6, 5, channels), np.uint8)
    return [(image, number % 2, f"synthetic/cgan/{NAMES[number % 2]}/{number}") for number, image in enumerate(pixels)]


def test_folder(tmp_path):
    assert export_images(iter(pictures()), NAMES, tmp_path / "out", "folder") == 7
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")) == [
        *(f"out/bag/00000{n}.png" for n in range(3)),
        *(f"out/hat/00000{n}.png" for n in range(4)),
    ]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out/bag/000001.png")), pictures()[3][0])


@pytest.mark.parametrize("channels, shape", [(1, (7, 6, 5)), (3, (7, 6, 5, 3))])
def test_npz_opens_without_pickle(tmp_path, channels, shape):
    export_images(pictures(channels), NAMES, tmp_path / "out.npz", "npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as archive:
        assert archive["x_train"].shape == shape
        np.testing.assert_array_equal(archive["x_train"].reshape(7, 6, 5, channels)[4], pictures(channels)[4][0])
        assert archive["y_train"].tolist() == [0, 1, 0, 1, 0, 1, 0]
        assert archive["class_names"].tolist() == NAMES
    assert open_images(Data(source="npz", path=str(tmp_path / "out.npz"))).class_names == ("hat", "bag")


@pytest.mark.parametrize("name, file", [("out", "out/images.npz"), ("out.npz", "out.npz")])
def test_npz_is_a_file_where_its_name_says_so(tmp_path, name, file):
    export_images(pictures(), NAMES, tmp_path / name, "npz")
    assert list(tmp_path.rglob("*.npz")) == [tmp_path / file]


@pytest.mark.parametrize("kind", ["folder", "tfrecord"])
def test_other_formats_are_folders_whatever_their_name(tmp_path, kind):
    export_images(pictures(), NAMES, tmp_path / "out.npz", kind)
    assert (tmp_path / "out.npz").is_dir() and any((tmp_path / "out.npz").iterdir())


def test_every_format_gives_the_same_pictures(tmp_path):
    expected = sorted((label, image.tobytes()) for image, label, _ in pictures())
    for kind, source, path in (
        ("folder", "folder", "a"),
        ("npz", "npz", "b/images.npz"),
        ("tfrecord", "tfrecord", "c"),
    ):
        export_images(pictures(), NAMES, tmp_path / path.split("/")[0], kind)
        images = open_images(Data(source=source, path=str(tmp_path / path)))
        found = []
        for row in range(len(images)):
            content = images.read(row)
            pixels = decode.decode(content) if isinstance(content, bytes) else content
            found.append((NAMES.index(images.class_names[images.labels[row]]), pixels.tobytes()))
        assert sorted(found) == expected


def test_class_names_never_lead_elsewhere(tmp_path):
    names = ["../up", "/etc", "..", "", "a/b", "a_b"]
    images = [(np.zeros((2, 2, 1), np.uint8), label, "x") for label in range(6)]
    export_images(images, names, tmp_path / "out", "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert len([path for path in (tmp_path / "out").iterdir() if path.is_dir()]) == 6
    assert len(list((tmp_path / "out").rglob("*.png"))) == 6


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(UserError, match="holds something already"):
            export_images(pictures(), NAMES, place, "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    export_images(pictures(), NAMES, tmp_path / "out", "folder")
    assert (tmp_path / "out" / "hat").is_dir()


def test_an_export_that_fails_leaves_nothing(tmp_path):
    def broken():
        yield pictures()[0]
        raise KeyError("generator gone")

    for kind in ("folder", "npz", "tfrecord"):
        with pytest.raises(KeyError):
            export_images(broken(), NAMES, tmp_path / "out", kind)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        export_images(pictures(), NAMES, tmp_path / "file" / "out", "folder")


def test_an_unknown_format_is_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(ValueError, match="format must be one of folder, npz, tfrecord, not 'zip'"):
        export_images(pictures(), NAMES, tmp_path / "out", "zip")
