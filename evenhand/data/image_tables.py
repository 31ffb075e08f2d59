"""Reads Examples artifacts into memory-mapped `ImageTable`s, decoded once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand.config import digest
from evenhand.data import pose, records
from evenhand.data.image_table import ImageTable
from evenhand.data.input_pipeline import ahead, mapped, untuned
from evenhand.data.sidecar import DataSummary

_BATCH = 256


def load_table(
    examples_folder: str, splits: Sequence[str], *, cache: Path | None, limit_per_class: int | None = None
) -> ImageTable:
    """The decoded images of some splits, in the order of files and records.

    Args:
      examples_folder: root of an Examples artifact, with `data.json` and `Split-<name>` folders.
      splits: names of the splits, e.g. `["train"]`.
      cache: folder that keeps the decoded images for the next call; None decodes into a temporary file that is gone
        when the table is.
      limit_per_class: keep only that many images of each class, those with the lowest seeds (of real images: the
        first).

    Returns:
      The table; it has no rows where the splits hold no images.
    """
    folder = os.fspath(examples_folder)
    summary = DataSummary.read(folder)
    files = [file for split in splits for file in _shards(folder, split)]
    if cache is None:
        with tempfile.TemporaryDirectory(prefix="evenhand-") as temporary:
            # The mapping outlives the name of the file.
            return _decode_all(files, Path(temporary), summary, limit_per_class)
    target = Path(cache) / _name(files, limit_per_class)
    if not target.exists():
        Path(cache).mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".table-", dir=cache))
        try:
            _decode_all(files, fresh, summary, limit_per_class)
            _publish(fresh, target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return _open(target, summary)


def _shards(folder: str, split: str) -> list[str]:
    return sorted(tf.io.gfile.glob(f"{folder}/Split-{split}/*"))


def _name(files: Sequence[str], limit: int | None) -> str:
    """Changes whenever a file does."""
    stats = [tf.io.gfile.stat(file) for file in files]
    return digest(
        repr([(file, stat.length, stat.mtime_nsec) for file, stat in zip(files, stats, strict=True)] + [limit])
    )


def _publish(fresh: Path, target: Path) -> None:
    try:
        fresh.rename(target)
    except OSError:
        # Another process was quicker; its table has the same rows.
        if not target.exists():
            raise


def _open(folder: Path, summary: DataSummary) -> ImageTable:
    keypoints = folder / "keypoints.npy"
    return ImageTable(
        images=np.load(folder / "images.npy", mmap_mode="r"),
        labels=np.load(folder / "labels.npy"),
        ids=np.load(folder / "ids.npy"),
        class_names=summary.class_names,
        keypoints=np.load(keypoints) if keypoints.exists() else None,
    )


def _decode_all(files: Sequence[str], folder: Path, summary: DataSummary, limit: int | None) -> ImageTable:
    """Writes the arrays of a table into `folder` and opens them."""
    labels, ids, seeds = _index(files)
    keep = np.ones(len(labels), bool) if limit is None else _lowest_seeds(labels, seeds, limit)
    shape = (int(keep.sum()), *summary.image_shape)
    if shape[0]:
        images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, shape)
        row = 0
        for batch in _pixels(files, keep, summary.image_shape):
            images[row : row + len(batch)] = batch
            row += len(batch)
        images.flush()
    else:  # No file of no bytes can be mapped.
        np.save(folder / "images.npy", np.zeros(shape, np.uint8))
    np.save(folder / "labels.npy", labels[keep])
    np.save(folder / "ids.npy", ids[keep])
    if summary.without_hand is not None:
        np.save(folder / "keypoints.npy", _keypoints(files)[1][keep])
    return _open(folder, summary)


def _records(files: Sequence[str]) -> tf.data.Dataset:
    return untuned(tf.data.TFRecordDataset(list(files), compression_type="GZIP").batch(_BATCH))


def _index(files: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.str_], NDArray[np.int64]]:
    """Labels, ids and seeds of all records, without decoding an image."""
    labels, ids, seeds = [np.zeros(0, np.int32)], [np.zeros(0, np.str_)], [np.zeros(0, np.int64)]
    if files:
        for batch in _records(files).map(records.parse).as_numpy_iterator():
            labels.append(batch["label"].astype(np.int32))
            ids.append(_decoded(batch["id"]))
            seeds.append(batch["seed"])
    return np.concatenate(labels), np.concatenate(ids), np.concatenate(seeds)


def _keypoints(files: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
    """Ids and float32[n, 21, 3] of all records, which must have some."""
    ids, keypoints = [np.zeros(0, np.str_)], [np.zeros((0, pose.NUM_KEYPOINTS, 3), np.float32)]
    if files:
        for batch in _records(files).map(records.parse_keypoints).as_numpy_iterator():
            ids.append(_decoded(batch["id"]))
            keypoints.append(batch["keypoints"])
    return np.concatenate(ids), np.concatenate(keypoints)


def copy_records(source: str, target: str, split: str, keep: NDArray[np.bool_]) -> None:
    """Copies some records of a split as they are, with their ids, seeds and marks, into files of the same names.

    A file may stay empty.

    Args:
      source: root of an Examples artifact.
      target: root of the new one.
      split: name of the split.
      keep: bool[n], by row of `load_table(source, [split])`, i.e. in the order of files and records.

    Raises:
      ValueError: if there are more or fewer records than that.
    """
    row = 0
    for path in sorted(tf.io.gfile.glob(f"{source}/Split-{split}/*")):
        serialized = list(untuned(tf.data.TFRecordDataset(path, compression_type="GZIP")).as_numpy_iterator())
        chosen = np.flatnonzero(keep[row : row + len(serialized)])
        records.write_shard(f"{target}/Split-{split}/{os.path.basename(path)}", (serialized[index] for index in chosen))
        row += len(serialized)
    if row != len(keep):
        raise ValueError(f"expected {len(keep)} records, found {row}")


def images_without_hand(examples_folder: str, splits: Sequence[str]) -> list[str]:
    """Ids of the images in which no hand was found, read from records that were written with key points."""
    folder = os.fspath(examples_folder)
    ids, keypoints = _keypoints([file for split in splits for file in _shards(folder, split)])
    return [str(image_id) for image_id in ids[~pose.has_hand(keypoints)]]


def _decoded(ids: NDArray[np.object_]) -> NDArray[np.str_]:
    return np.asarray([image_id.decode("utf-8", "replace") for image_id in ids], np.str_)


def _lowest_seeds(labels: NDArray[np.int32], seeds: NDArray[np.int64], limit: int) -> NDArray[np.bool_]:
    order = np.lexsort((seeds, labels))
    sizes = np.bincount(labels)
    ranks = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    keep = np.zeros(len(labels), bool)
    keep[order[ranks < limit]] = True
    return keep


def _pixels(files: Sequence[str], keep: NDArray[np.bool_], image_shape: tuple[int, int, int]) -> tf.data.Dataset:
    """uint8[b, h, w, c] batches of the records to keep, in order."""

    def decode(encoded: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.io.decode_png(encoded, channels=image_shape[2]), image_shape)

    encoded = _records(files).map(lambda batch: records.parse(batch)["encoded"]).unbatch()
    chosen = tf.data.Dataset.zip(encoded, tf.data.Dataset.from_tensor_slices(keep)).filter(lambda _, kept: kept)
    return ahead(mapped(chosen, decode).batch(_BATCH)).as_numpy_iterator()
