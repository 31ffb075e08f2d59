"""A source's way through records into tables: every pixel, label and id arrives."""

from __future__ import annotations

import gc
import os
import pickle

import numpy as np
import pytest
import tensorflow as tf

from evenhand import progress
from evenhand.config import Data
from evenhand.data import decode, records
from evenhand.data.image_set import SPLITS
from evenhand.data.image_tables import load_table
from evenhand.data.prepare import prepare
from evenhand.data.sidecar import DataSummary

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)


def example(**changes) -> bytes:
    arguments = {
        "image_shape": (6, 4, 3), "image_id": "folder/a/0.png", "label": 2, "class_name": "a", "split": "train",
        "source": "real",
    }  # fmt: skip
    return records.encode_example(decode.encode_png(PIXELS), **(arguments | changes))


def ingest(config: Data, folder, seed: int = 0):
    preparation = prepare(config, seed)
    for shard in records.plan_shards(config, preparation, str(folder)):
        records.write_source_shard(pickle.loads(pickle.dumps(shard)))
    DataSummary.of(preparation, config, "f" * 32).write(folder)
    return preparation


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    return folder, ingest(Data(image_size=16), folder)


def test_an_example_follows_the_slim_convention():
    feature = tf.train.Example.FromString(example(group=4, seed=9)).features.feature
    values = {name: list(value.bytes_list.value or value.int64_list.value) for name, value in feature.items()}
    np.testing.assert_array_equal(tf.io.decode_png(values.pop("image/encoded")[0]).numpy(), PIXELS)
    assert values == {
        "image/format": [b"png"], "image/height": [6], "image/width": [4], "image/channels": [3],
        "image/class/label": [2], "image/class/text": [b"a"], "image/id": [b"folder/a/0.png"],
        "image/split": [b"train"], "image/source": [b"real"], "image/group": [4], "image/seed": [9],
    }  # fmt: skip


def test_parse_reads_a_batch():
    parsed = records.parse(tf.constant([example(seed=7), example(label=0)]))
    assert parsed["label"].numpy().tolist() == [2, 0]
    assert parsed["seed"].numpy().tolist() == [7, -1]
    assert parsed["id"].numpy().tolist() == [b"folder/a/0.png"] * 2


def test_a_shard_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "data_tfrecord-00000-of-00001.gz"

    def broken():
        yield example()
        raise KeyError("worker lost")

    with pytest.raises(KeyError):
        records.write_shard(str(path), broken())
    assert list(path.parent.iterdir()) == []
    assert records.write_shard(str(path), [example()] * 3) == 3
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.read_bytes()[:2] == b"\x1f\x8b"


def test_shard_names_are_those_of_tfx():
    assert records.shard_name(3, 10) == "data_tfrecord-00003-of-00010.gz"


def test_every_image_arrives(digits):
    folder, preparation = digits
    images = preparation.image_set
    for number, split in enumerate(SPLITS[1:], start=1):
        table = load_table(str(folder), [split], cache=None)
        rows = np.flatnonzero(preparation.split == number)
        assert table.ids.tolist() == [images.identify(int(row)) for row in rows]
        np.testing.assert_array_equal(table.labels, images.labels[rows])
        assert table.class_counts.tolist() == preparation.counts[split].tolist()
        for position in (0, len(rows) // 2, len(rows) - 1):
            expected = decode.to_pixels(images.read(int(rows[position])), 16, 1)
            np.testing.assert_array_equal(table.images[position], expected)


def test_ingestion_is_repeatable(digits, tmp_path):
    folder, _ = digits
    ingest(Data(image_size=16), tmp_path)
    for file in sorted(folder.rglob("*.gz")):
        assert file.read_bytes() == (tmp_path / file.relative_to(folder)).read_bytes()


def test_a_large_split_has_several_shards_that_together_are_in_order(digits, tmp_path, monkeypatch):
    folder, _ = digits
    monkeypatch.setattr(records, "SHARD_IMAGES", 50)
    reports = []
    with progress.listen(reports.append):
        ingest(Data(image_size=16), tmp_path)
    assert len(list((tmp_path / "Split-train").iterdir())) > 3
    whole, parts = (load_table(str(place), ["train"], cache=None) for place in (folder, tmp_path))
    np.testing.assert_array_equal(whole.ids, parts.ids)
    np.testing.assert_array_equal(whole.images, parts.images)
    assert reports[-1].task == "write images" and reports[-1].done == reports[-1].total


def test_splits_are_joined_in_the_order_given(digits):
    folder, preparation = digits
    table = load_table(str(folder), ["test", "validation"], cache=None)
    sizes = [int(preparation.counts[split].sum()) for split in ("test", "validation")]
    assert len(table) == sum(sizes)
    np.testing.assert_array_equal(table.ids[: sizes[0]], load_table(str(folder), ["test"], cache=None).ids)


def test_an_empty_split_is_a_file_and_an_empty_table(make_folder, tmp_path):
    config = Data(source="folder", path=str(make_folder({"a": 5, "b": 5})))
    ingest(config, tmp_path / "examples")
    assert len(list((tmp_path / "examples" / "Split-validation").iterdir())) == 1
    table = load_table(str(tmp_path / "examples"), ["validation"], cache=None)
    assert len(table) == 0 and table.images.shape == (0, 32, 32, 3) and table.class_counts.tolist() == [0, 0]


def test_the_cache_is_used_until_a_file_changes(digits, tmp_path):
    folder, _ = digits
    first = load_table(str(folder), ["train"], cache=tmp_path)
    assert isinstance(first.images, np.memmap) and not first.images.flags.writeable
    [entry] = tmp_path.iterdir()
    written = (entry / "images.npy").stat().st_mtime_ns
    again = load_table(str(folder), ["train"], cache=tmp_path)
    np.testing.assert_array_equal(first.images, again.images)
    assert (entry / "images.npy").stat().st_mtime_ns == written
    shard = next((folder / "Split-train").iterdir())
    os.utime(shard)
    load_table(str(folder), ["train"], cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_without_a_cache_nothing_is_left_on_disk(digits, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    table = load_table(str(digits[0]), ["train"], cache=None)
    assert list(tmp_path.iterdir()) == []
    assert table.images[-1].max() > 0
    del table
    gc.collect()


def test_a_limit_keeps_the_lowest_seeds_of_each_class(tmp_path):
    seeds = [(0, 5), (0, 3), (1, 8), (0, 4), (1, 2), (1, 9)]
    shard = tmp_path / "Split-train" / records.shard_name(0, 1)
    records.write_shard(
        str(shard), [example(label=label, seed=seed, image_id=f"{label}/{seed}") for label, seed in seeds]
    )
    DataSummary(
        class_names=("a", "b"), image_shape=(6, 4, 3), counts={"train": (3, 3)}, source="synthetic", fingerprint=""
    ).write(tmp_path)
    table = load_table(str(tmp_path), ["train"], cache=None, limit_per_class=2)
    assert table.ids.tolist() == ["0/3", "1/8", "0/4", "1/2"]
    np.testing.assert_array_equal(table.images[3], PIXELS)


def test_a_source_that_changed_is_read_anew_by_the_same_process(make_folder, tmp_path):
    root = make_folder({"a": 8, "b": 8})
    ingest(Data(source="folder", path=str(root), image_size=8), tmp_path / "first")
    for path in (root / "b").iterdir():
        path.rename(root / "a" / f"b{path.name}")
    for path in sorted((root / "a").iterdir())[:8]:
        path.rename(root / "b" / path.name)
    ingest(Data(source="folder", path=str(root), image_size=8), tmp_path / "second")
    table = load_table(str(tmp_path / "second"), ["train", "validation", "test"], cache=None)
    on_disk = {f"folder/{path.parent.name}/{path.name}" for path in root.glob("*/*")}
    assert set(table.ids.tolist()) == on_disk
    assert [table.class_names[label] for label in table.labels] == [name.split("/")[1] for name in table.ids]


def test_the_summary_comes_back_as_written(digits, tmp_path):
    folder, preparation = digits
    summary = DataSummary.read(folder)
    assert summary == DataSummary.of(preparation, Data(image_size=16), "f" * 32)
    assert summary.image_shape == (16, 16, 1)
    assert summary.counts["train"] == tuple(preparation.counts["train"])
    synthetic = summary.for_synthetic([7] * 10)
    synthetic.write(tmp_path)
    assert DataSummary.read(str(tmp_path)).counts == {"train": (7,) * 10}
