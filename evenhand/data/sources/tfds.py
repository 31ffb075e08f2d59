"""Any image classification data set of TensorFlow Datasets, by name or by the folder it was prepared in."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from numpy.typing import NDArray

from evenhand.config import Data, Section, parse_options
from evenhand.data.fingerprint import of_files
from evenhand.data.image_set import ImageSet
from evenhand.data.sources._conventions import OWN_SPLITS
from evenhand.errors import UserError

_BLOCK = 256
_BLOCKS_KEPT = 4


class Options(Section):
    """Options of a data set.

    Attributes:
      data_dir: where prepared data sets lie; None for TFDS' own default.
      download: prepare the data set first where that has not been done.
    """

    data_dir: str | None = None
    download: bool = True


@lru_cache(maxsize=4)
def _prepared(path: str | None, data_dir: str | None, download: bool) -> tfds.core.DatasetBuilder:
    if path is None:
        raise UserError("data.path", "is not set, but the source tfds needs one", "set it to the name of a data set")
    try:
        if (Path(path) / "dataset_info.json").is_file():
            return tfds.builder_from_directory(path)
        builder = tfds.builder(path, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        raise UserError(f"tfds:{path}", "is no known data set", "check the name, or give its folder") from error
    if not builder.data_path.exists():
        if not download:
            raise UserError(f"tfds:{path}", "is not prepared", "prepare it, or set data.options.download: true")
        try:
            builder.download_and_prepare()
        # What a data set's own code and its downloads raise has no common type.
        except Exception as error:
            raise UserError(f"tfds:{path}", f"cannot be prepared ({error})", "prepare it with `tfds build`") from error
    return builder


def _builder(config: Data) -> tfds.core.DatasetBuilder:
    options = parse_options(Options, config.options, "data.options")
    return _prepared(config.path, options.data_dir, options.download)


def _keys(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
    """Names of the image and the label feature."""
    keys, features = builder.info.supervised_keys, builder.info.features
    if (
        keys is None
        or not isinstance(features[keys[0]], tfds.features.Image)
        or not isinstance(features[keys[1]], tfds.features.ClassLabel)
    ):
        raise UserError(
            f"tfds:{builder.name}", "is no image classification data set", "choose one with image and label"
        )
    return keys[0], keys[1]


class _Blocks:
    """Encoded images of one data set, read in blocks; the newest few blocks are kept."""

    def __init__(self, builder: tfds.core.DatasetBuilder, image_key: str) -> None:
        self._builder, self._image_key = builder, image_key
        self._blocks: OrderedDict[tuple[str, int], list[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, split: str, row: int) -> bytes:
        """The encoded image `row` of `split`."""
        key = (split, row // _BLOCK)
        with self._lock:
            if key not in self._blocks:
                self._blocks[key] = self._load(*key)
                if len(self._blocks) > _BLOCKS_KEPT:
                    self._blocks.popitem(last=False)
            return self._blocks[key][row % _BLOCK]

    def _load(self, split: str, block: int) -> list[bytes]:
        images = _dataset(
            self._builder,
            f"{split}[{block * _BLOCK}:{(block + 1) * _BLOCK}]",
            {self._image_key: tfds.decode.SkipDecoding()},
        )
        return [example[self._image_key] for example in images]


def _dataset(builder: tfds.core.DatasetBuilder, split: str, decoders: dict[str, Any]) -> Any:
    """Examples in the order in which they are stored."""
    ordered = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    # Slices are cut at the end of the split, as Python's are.
    name, _, span = split.partition("[")
    if span:
        start, stop = span.rstrip("]").split(":")
        split = f"{name}[{start}:{min(int(stop), builder.info.splits[name].num_examples)}]"
    return tfds.as_numpy(builder.as_dataset(split=split, decoders=decoders, read_config=ordered, shuffle_files=False))


def _labels(builder: tfds.core.DatasetBuilder, split: str, key: str) -> NDArray[np.int32]:
    labels = _dataset(builder, split, tfds.decode.PartialDecoding({key: builder.info.features[key]}))
    return np.fromiter((example[key] for example in labels), np.int32, builder.info.splits[split].num_examples)


def open_source(config: Data) -> ImageSet:
    """Reads the labels of the splits train, validation and test; other splits are not used.

    Raises:
      UserError: if there is no such data set, it cannot be prepared, or it is not for image classification.
    """
    builder = _builder(config)
    image_key, label_key = _keys(builder)
    used = [split for split in builder.info.splits if split in OWN_SPLITS]
    if not used:
        raise UserError(f"tfds:{builder.name}", f"has only the splits {list(builder.info.splits)}", "choose another")
    labels = [_labels(builder, split, label_key) for split in used]
    counts = [len(part) for part in labels]
    starts = np.cumsum([0, *counts])
    blocks = _Blocks(builder, image_key)

    def locate(index: int) -> tuple[str, int]:
        part = int(np.searchsorted(starts, index, side="right")) - 1
        return used[part], index - int(starts[part])

    def identify(index: int) -> str:
        split, row = locate(index)
        return f"tfds/{builder.name}/{split}/{row}"

    return ImageSet(
        class_names=tuple(builder.info.features[label_key].names),
        labels=np.concatenate(labels),
        splits=np.repeat([OWN_SPLITS[split] for split in used], counts).astype(np.uint8),
        identify=identify,
        read=lambda index: blocks.read(*locate(index)),
    )


def fingerprint(config: Data) -> str:
    """Digest over the prepared files."""
    folder = Path(os.fspath(_builder(config).data_path))
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return of_files((file.relative_to(folder).as_posix(), file) for file in files)
