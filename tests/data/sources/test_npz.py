"""Keras and MedMNIST archives, and archives that must not be trusted."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from evenhand.config import Data
from evenhand.data.load import open_images
from evenhand.errors import UserError

RNG = np.random.default_rng(0)


def arrays(n: int = 12, shape: tuple[int, ...] = (5, 4)) -> tuple[np.ndarray, np.ndarray]:
    return RNG.integers(0, 256, (n, *shape), np.uint8), np.arange(n) % 3


def opened(tmp_path, options=None, compressed=True, **content):
    path = tmp_path / "data.npz"
    (np.savez_compressed if compressed else np.savez)(path, **content)
    return open_images(Data(source="npz", path=str(path), options=options or {}))


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (5, 4, 3), (5, 4, 4)])
def test_keras_convention(tmp_path, shape, compressed):
    (x_train, y_train), (x_test, y_test) = arrays(12, shape), arrays(6, shape)
    images = opened(tmp_path, None, compressed, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    assert images.class_names == ("0", "1", "2")
    assert images.labels.tolist() == [*y_train, *y_test] and images.labels.dtype == np.int32
    assert images.splits.tolist() == [1] * 12 + [3] * 6
    for row in (0, 11, 12, 17, 3):
        np.testing.assert_array_equal(images.read(row), np.concatenate([x_train, x_test])[row])
    assert [images.identify(11), images.identify(12)] == ["npz/train/11", "npz/test/0"]


def test_medmnist_convention(tmp_path):
    parts = {split: arrays(6, (8, 8, 3)) for split in ("train", "val", "test")}
    content = {f"{split}_images": x for split, (x, _) in parts.items()}
    content |= {f"{split}_labels": y[:, None] for split, (_, y) in parts.items()}
    images = opened(tmp_path, **content)
    assert images.splits.tolist() == [1] * 6 + [2] * 6 + [3] * 6
    np.testing.assert_array_equal(images.read(7), parts["val"][0][1])


def test_16_bits_and_booleans_become_8_bits(tmp_path):
    x, y = np.array([[[0, 255, 256, 65535]]] * 6, np.uint16), np.arange(6) % 2
    assert opened(tmp_path, x_train=x, y_train=y).read(0).tolist() == [[0, 0, 1, 255]]
    assert opened(tmp_path, x_train=x > 255, y_train=y).read(0).tolist() == [[0, 0, 255, 255]]


def test_16_bits_are_as_many_as_the_largest_value_of_the_archive_needs(tmp_path):
    x, y = np.array([[[0, 16, 255]]] * 6, np.uint16), np.arange(6) % 2
    assert opened(tmp_path, x_train=x, y_train=y).read(0).tolist() == [[0, 16, 255]]
    both = opened(tmp_path, x_train=x, y_train=y, x_test=16 * x, y_test=y)
    assert both.read(0).tolist() == [[0, 1, 15]]
    assert both.read(6).tolist() == [[0, 16, 255]]


def test_names_of_classes(tmp_path):
    x, y = arrays()
    stored = opened(tmp_path, x_train=x, y_train=y, class_names=np.array(["hat", "bag", "Schlüssel"]))
    assert stored.class_names == ("hat", "bag", "Schlüssel")
    given = opened(tmp_path, {"class_names": ["a", "b", "c"]}, x_train=x, y_train=y)
    assert given.class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"y_train": np.array(["a"] * 12, object)}, "y_train: holds pickled objects, which are never loaded"),
        ({"x_train": np.array([None] * 12)}, "x_train: holds pickled objects, which are never loaded"),
        ({"y_train": np.array([0, 1, -1] * 4)}, "label -1 is out of range"),
        (
            {"y_train": np.array([0, 1, 99] * 4)},
            "label 99 is out of range: labels run from 0 without gaps, but none is 2",
        ),
        ({"y_train": np.array([0, 1, 2**40] * 4)}, "label 1099511627776 is out of range"),
        ({"y_train": np.arange(11)}, r"y_train: has the shape \(11,\) for 12 images"),
        ({"y_train": np.zeros((12, 14), int)}, r"y_train: has the shape \(12, 14\) for 12 images"),
        ({"y_train": np.zeros(12)}, "y_train: holds float64; store labels as whole numbers"),
        ({"y_train": np.full(12, -(2**32))}, "label -4294967296 is out of range"),
        ({"y_train": np.full(12, 2**32)}, "label 4294967296 is out of range"),
        ({"x_train": np.zeros((12, 5, 4))}, "x_train: holds float64; store pixels as uint8"),
        ({"x_train": np.zeros((12, 3, 5, 5), np.uint8)}, r"x_train: has the shape \(12, 3, 5, 5\); images have"),
        ({"x_train": np.zeros((0, 5, 4), np.uint8)}, "y_train: has the shape"),
    ],
)
def test_wrong_content_is_named(tmp_path, change, words):
    x, y = arrays()
    with pytest.raises(UserError, match=words):
        opened(tmp_path, **{"x_train": x, "y_train": y, **change})


def test_label_beyond_the_names(tmp_path):
    x, y = arrays()
    with pytest.raises(UserError, match="label 2 is out of range: there are 2 class names"):
        opened(tmp_path, {"class_names": ["a", "b"]}, x_train=x, y_train=y)


def test_nothing_is_unpickled(tmp_path):
    """An archive that would create a file when loaded with pickle creates none."""
    import os

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    with pytest.raises(UserError, match="never loaded"):
        opened(tmp_path, x_train=arrays()[0], y_train=np.array([Trap()] * 12, object))
    assert not (tmp_path / "trapped").exists()


def test_other_arrays_are_named(tmp_path):
    with pytest.raises(UserError, match="holds neither x_train nor train_images, but images, labels"):
        opened(tmp_path, images=arrays()[0], labels=arrays()[1])
    with pytest.raises(UserError, match="holds x_train but no y_train"):
        opened(tmp_path, x_train=arrays()[0])


def test_a_header_that_lies_allocates_nothing(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 28, 28)})
    path = tmp_path / "lie.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", header.getvalue() + b"0" * 100)
        archive.writestr("y_train.npy", b"")
    with pytest.raises(UserError, match="x_train: is not as long as its shape says"):
        open_images(Data(source="npz", path=str(path)))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (1, 9000, 9000)})
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", header.getvalue() + bytes(9000 * 9000))
        archive.writestr("y_train.npy", b"")
    with pytest.raises(UserError, match="each image has 9000 x 9000 pixels, more than the 64 million allowed"):
        open_images(Data(source="npz", path=str(path)))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 truncated"])
def test_what_is_no_archive(tmp_path, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="data.npz: is no readable .npz archive"):
        open_images(Data(source="npz", path=str(path)))


def test_damage_is_noticed(tmp_path):
    x, y = arrays(400)
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x_train=x, y_train=y)
    content = bytearray(path.read_bytes())
    content[2000:2100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(UserError, match="is no readable .npz archive"):
        open_images(Data(source="npz", path=str(path)))
