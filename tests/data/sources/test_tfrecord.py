"""TFRecord files of others and of our own."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from evenhand.config import Data
from evenhand.data import decode, records
from evenhand.data.export import export_images
from evenhand.data.fingerprint import fingerprint
from evenhand.data.load import open_images
from evenhand.errors import UserError

PICTURES = np.random.default_rng(0).integers(0, 256, (12, 5, 5, 3), np.uint8)


def example(index: int, **features: bytes | int) -> bytes:
    """A record in the Slim convention; `text=b""` leaves the name of the class out."""
    label = index % 3
    content = {
        "image/encoded": decode.encode_png(PICTURES[index]),
        "image/class/label": label,
        "image/class/text": [b"ant", b"bee", b"cat"][label],
    } | {name.replace("__", "/"): value for name, value in features.items()}
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
                if isinstance(value, int)
                else tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for name, value in content.items()
                if value != b""
            }
        )
    ).SerializeToString()


def write(path, examples, compression="") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for content in examples:
            writer.write(content)


def opened(path, **settings):
    return open_images(Data(source="tfrecord", path=str(path), **settings))


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_shards_by_pattern(tmp_path, compression):
    write(tmp_path / "train-0.tfrecord", map(example, range(7)), compression)
    write(tmp_path / "validation-0.tfrecord", map(example, range(7, 9)), compression)
    write(tmp_path / "test-0.tfrecord", map(example, range(9, 12)), compression)
    images = opened(tmp_path / "*.tfrecord")
    order = [9, 10, 11, *range(9)]  # files by name
    assert images.class_names == ("ant", "bee", "cat")
    assert images.labels.tolist() == [index % 3 for index in order]
    assert images.splits.tolist() == [3] * 3 + [1] * 7 + [2] * 2
    for row, index in enumerate(order):
        np.testing.assert_array_equal(decode.decode(images.read(row)), PICTURES[index])
    assert images.identify(0) == "tfrecord/test-0.tfrecord/0"


def test_records_tell_ids_splits_and_groups(tmp_path):
    write(
        tmp_path / "all.tfrecord",
        [
            example(n, image__id=b"id %d" % n, image__split=[b"train", b"test"][n % 2], image__group=n // 4)
            for n in range(12)
        ],
    )
    images = opened(tmp_path / "all.tfrecord", group="image/group")
    assert images.splits.tolist() == [1, 3] * 6
    assert images.groups.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert [images.identify(5), images.identify(2)] == ["id 5", "id 2"]


def test_without_names_labels_name_the_classes(tmp_path):
    write(tmp_path / "a.tfrecord", [example(n, image__class__text=b"") for n in range(12)])
    assert opened(tmp_path / "a.tfrecord").class_names == ("0", "1", "2")
    named = opened(tmp_path / "a.tfrecord", options={"class_names": ["x", "y", "z"]})
    assert named.class_names == ("x", "y", "z")


def test_labels_that_start_at_one_are_fine_with_names(tmp_path):
    write(tmp_path / "a.tfrecord", [example(n, image__class__label=n % 3 + 1) for n in range(12)])
    images = opened(tmp_path / "a.tfrecord")
    assert images.class_names == ("ant", "bee", "cat") and images.labels.tolist() == [0, 1, 2] * 4


def test_what_we_export_can_be_read(tmp_path):
    pictures = ((PICTURES[n], n % 2, f"folder/{n}.png") for n in range(12))
    export_images(pictures, ["no", "yes"], tmp_path / "out", "tfrecord")
    images = opened(tmp_path / "out")
    assert images.class_names == ("no", "yes") and images.identify(3) == "folder/3.png"
    np.testing.assert_array_equal(decode.decode(images.read(3)), PICTURES[3])


def test_examples_artifacts_can_be_read(tmp_path):
    write(tmp_path / "Split-train" / records.shard_name(0, 1), map(example, range(6)), "GZIP")
    write(tmp_path / "Split-test" / records.shard_name(0, 1), map(example, range(6, 12)), "GZIP")
    (tmp_path / "data.json").write_text("{}")
    assert opened(tmp_path).splits.tolist() == [3] * 6 + [1] * 6


def test_fingerprint(tmp_path):
    write(tmp_path / "a.tfrecord", map(example, range(6)))
    config = Data(source="tfrecord", path=str(tmp_path / "*.tfrecord"))
    first = fingerprint(config)
    write(tmp_path / "b.tfrecord", map(example, range(6)))
    assert fingerprint(config) != first


@pytest.mark.parametrize(
    "examples, words",
    [
        ([b"no example"], "a.tfrecord: is damaged or holds no tf.Examples"),
        ([example(0, image__encoded=b"")], "a.tfrecord, record 0: lacks image/encoded or image/class/label"),
        ([example(0), example(0, image__class__text=b"fly")], "record 1: calls class 0 'fly', others 'ant'"),
        (
            [example(n, image__class__text=b"", image__class__label=[0, 1, -4][n % 3]) for n in range(12)],
            "label -4 is out",
        ),
        ([], "a.tfrecord: holds no records"),
    ],
)
def test_wrong_records_are_named(tmp_path, examples, words):
    write(tmp_path / "a.tfrecord", examples)
    with pytest.raises(UserError, match=words):
        opened(tmp_path / "a.tfrecord")


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(UserError, match="names no TFRecord file"):
        opened(tmp_path / "*.tfrecord")
    (tmp_path / "a.tfrecord").write_text("no records in here, only text that is long enough")
    with pytest.raises(UserError, match="a.tfrecord: is damaged or holds no tf.Examples"):
        opened(tmp_path / "a.tfrecord")
    (tmp_path / "b.tfrecord").write_bytes(b"\x1f\x8b damaged")
    with pytest.raises(UserError, match="b.tfrecord: cannot be unpacked"):
        opened(tmp_path / "b.tfrecord")
    write(tmp_path / "c.tfrecord", map(example, range(6)))
    with pytest.raises(UserError, match="record 0: has no person; correct data.group"):
        opened(tmp_path / "c.tfrecord", group="person")
