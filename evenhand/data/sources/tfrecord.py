"""TFRecord files of tf.Examples in the Slim image convention, plain or gzipped.

Records are found again by file, offset and length, so that any image can be read at any time; gzipped files are
unpacked into a temporary folder first.
"""

from __future__ import annotations

import glob
import gzip
import os
import re
import shutil
import tempfile
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from evenhand.config import Data, Section, parse_options
from evenhand.data.decode import MAX_FILE_BYTES, UnreadableImage
from evenhand.data.fingerprint import of_files
from evenhand.data.image_set import ImageSet
from evenhand.data.input_pipeline import untuned
from evenhand.data.sources._conventions import OWN_SPLITS, named_classes
from evenhand.errors import UserError

_HEAD, _TAIL = 12, 4
"""Bytes around a record: its length and that number's checksum before it, its own checksum behind it."""


class Options(Section):
    """Options of TFRecord files.

    Attributes:
      class_names: names of the labels 0, 1, …; else those in `image/class/text`, else the numbers.
    """

    class_names: tuple[str, ...] | None = None


@dataclass
class _Index:
    """Where each record lies and what it says beside its image; 22 bytes an image and 4 for its group."""

    files: list[str]
    group_feature: str | None
    owners: array[int] = field(default_factory=lambda: array("i"))
    offsets: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("i"))
    labels: array[int] = field(default_factory=lambda: array("q"))
    splits: array[int] = field(default_factory=lambda: array("B"))
    synthetic: array[int] = field(default_factory=lambda: array("B"))
    groups: array[int] = field(default_factory=lambda: array("i"))
    group_numbers: dict[bytes | int, int] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)

    def add_file(self, owner: int, path: str) -> None:
        """Notes the records of one plain file."""
        name, offset = self.files[owner], 0
        split = _split_of(name)
        try:
            for row, record in enumerate(untuned(tf.data.TFRecordDataset([path])).as_numpy_iterator()):
                offset += _HEAD
                self.owners.append(owner)
                self.offsets.append(offset)
                self.lengths.append(len(record))
                self._add_features(tf.train.Example.FromString(record), f"{name}, record {row}", split)
                offset += len(record) + _TAIL
        except (tf.errors.OpError, DecodeError) as error:
            raise UserError(name, "is damaged or holds no tf.Examples", "write it anew or check data.path") from error

    def _add_features(self, example: tf.train.Example, where: str, split: int) -> None:
        features = example.features.feature
        label = features["image/class/label"].int64_list.value
        if len(label) != 1 or len(features["image/encoded"].bytes_list.value) != 1:
            raise UserError(where, "lacks image/encoded or image/class/label", "write it in the Slim image convention")
        self.labels.append(label[0])
        own = _text(example, "image/split")
        self.splits.append(split if own is None else OWN_SPLITS.get(own.lower(), 0))
        self.synthetic.append(_text(example, "image/source") == "synthetic")
        text = _text(example, "image/class/text")
        if text is not None and self.texts.setdefault(label[0], text) != text:
            raise UserError(where, f"calls class {label[0]} {text!r}, others {self.texts[label[0]]!r}", "correct it")
        if self.group_feature is not None:
            group = features[self.group_feature]
            values = [*group.int64_list.value, *group.bytes_list.value]
            if len(values) != 1:
                raise UserError(where, f"has no {self.group_feature}", "correct data.group")
            self.groups.append(self.group_numbers.setdefault(values[0], len(self.group_numbers)))

    def classes(self, options: Options, where: str) -> tuple[tuple[str, ...], NDArray[np.int32]]:
        """Class names, and labels as indices into them."""
        labels = np.asarray(self.labels, np.int64)
        if options.class_names is None and set(np.unique(labels).tolist()) == set(self.texts):
            numbers = sorted(self.texts)
            return tuple(self.texts[number] for number in numbers), np.searchsorted(numbers, labels).astype(np.int32)
        names = named_classes(where, labels, options.class_names)
        return names, labels.astype(np.int32)


def _text(example: tf.train.Example, feature: str) -> str | None:
    values = example.features.feature[feature].bytes_list.value
    return values[0].decode("utf-8", "replace") if len(values) == 1 else None


def _split_of(path: str) -> int:
    """The split that a file's folder (`Split-train`, `train`) or name (`train-00000-of-00010`) tells, else 0."""
    folder, name = os.path.split(path)
    for text in (re.split(r"[-_.]", name)[0], os.path.basename(folder).removeprefix("Split-")):
        if text.lower() in OWN_SPLITS:
            return OWN_SPLITS[text.lower()]
    return 0


def _files(config: Data) -> list[str]:
    """The files that `data.path` names: a file, a pattern, or a folder with `tfrecord` in its files' names."""
    if config.path is None:
        raise UserError("data.path", "is not set, but the source tfrecord needs one", "set it to a file or pattern")
    pattern = os.path.join(glob.escape(config.path), "**", "*tfrecord*") if os.path.isdir(config.path) else config.path
    files = sorted(file for file in glob.glob(pattern, recursive=True) if os.path.isfile(file))
    if not files:
        raise UserError(
            config.path, "names no TFRecord file", "give a file, a pattern, or a folder of *tfrecord* files"
        )
    return files


def _plain(files: list[str], folder: str) -> Iterator[str]:
    """A path of each file's plain content, unpacked into `folder` where it is gzipped."""
    for number, name in enumerate(files):
        with open(name, "rb") as file:
            if file.read(2) != b"\x1f\x8b":
                yield name
                continue
        path = os.path.join(folder, f"{number}.tfrecord")
        try:
            with gzip.open(name) as packed, open(path, "wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, 2**20)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(name, f"cannot be unpacked ({error})", "write it anew") from error
        yield path


def open_source(config: Data) -> ImageSet:
    """Reads labels, splits and groups of all records; `data.group` names a feature (by default none is used).

    Raises:
      UserError: if a file is damaged, or a record lacks its image or label.
    """
    options = parse_options(Options, config.options, "data.options")
    index = _Index(_files(config), config.group)
    folder = tempfile.TemporaryDirectory(prefix="evenhand-")
    paths = list(_plain(index.files, folder.name))
    for owner, path in enumerate(paths):
        index.add_file(owner, path)
    if not len(index.labels):
        raise UserError(str(config.path), "holds no records", "check data.path")
    class_names, labels = index.classes(options, str(config.path))

    # Reading an image and asking for its id are two calls for one record.
    @lru_cache(maxsize=16)
    def example(row: int, _keep: tempfile.TemporaryDirectory[str] = folder) -> tf.train.Example:
        with open(paths[index.owners[row]], "rb") as file:
            return tf.train.Example.FromString(os.pread(file.fileno(), index.lengths[row], index.offsets[row]))

    def read(row: int) -> bytes:
        if index.lengths[row] > MAX_FILE_BYTES:
            raise UnreadableImage(f"is larger than {MAX_FILE_BYTES // 2**20} MiB")
        return bytes(example(row).features.feature["image/encoded"].bytes_list.value[0])

    def identify(row: int) -> str:
        own = _text(example(row), "image/id") or _text(example(row), "image/filename")
        return own or f"tfrecord/{Path(index.files[index.owners[row]]).name}/{row}"

    return ImageSet(
        class_names=class_names,
        labels=labels,
        splits=np.asarray(index.splits, np.uint8),
        identify=identify,
        read=read,
        groups=np.asarray(index.groups, np.int32) if config.group is not None else None,
        synthetic=np.asarray(index.synthetic, bool),
    )


def fingerprint(config: Data) -> str:
    """Digest over the files' names and contents."""
    files = _files(config)
    root = os.path.commonpath([os.path.dirname(file) for file in files])
    return of_files((os.path.relpath(file, root or "."), file) for file in files)
