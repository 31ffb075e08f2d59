"""Images as tf.Examples in the Slim convention, in gzipped TFRecord shards.

Every image is converted and resized once, before it is written: whoever reads a record gets PNG, uint8, of the run's
one size. Key points are found before the resize, in the image at its own size.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand import progress
from evenhand.config import Data
from evenhand.data import decode, pose
from evenhand.data.image_set import SPLITS, ImageSet
from evenhand.data.load import open_images
from evenhand.data.prepare import Preparation

SHARD_IMAGES = 2048
"""Images in a shard of a source: enough to make a file worth its overhead, few enough to spread over workers."""

WRITER_OPTIONS = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
"""TFX's standard components expect gzip; PNG hardly shrinks further, so the fastest level it is."""

_FEATURES = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/class/label": tf.io.FixedLenFeature([], tf.int64),
    "image/id": tf.io.FixedLenFeature([], tf.string),
    "image/seed": tf.io.FixedLenFeature([], tf.int64, default_value=-1),
}
_KEYPOINTS = "image/keypoints"
_KEYPOINT_FEATURES = {
    "image/id": _FEATURES["image/id"],
    _KEYPOINTS: tf.io.FixedLenFeature([pose.NUM_KEYPOINTS, 3], tf.float32),
}


def _bytes(value: bytes | str) -> tf.train.Feature:
    content = value.encode("utf-8", "replace") if isinstance(value, str) else value
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))


def _int64(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def _floats(values: NDArray[np.float32]) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values.ravel()))


def encode_example(  # noqa: PLR0913 - one argument for each feature of the record
    encoded: bytes,
    *,
    image_shape: Sequence[int],
    image_id: str,
    label: int,
    class_name: str,
    split: str,
    source: Literal["real", "synthetic"],
    group: int | None = None,
    seed: int | None = None,
    generator_digest: str | None = None,
    keypoints: NDArray[np.float32] | None = None,
) -> bytes:
    """A serialized tf.Example.

    Args:
      encoded: PNG of the image, uint8.
      image_shape: its height, width and channels.
      image_id: its id for life.
      label: its class, from 0.
      class_name: name of the class.
      split: `train`, `validation` or `test`.
      source: where it comes from.
      group: number of the person or patient, where there are groups.
      seed: what a synthetic image was drawn with.
      generator_digest: SHA-256 of the weights of the generator that drew it.
      keypoints: float32[21, 3], where they were looked for (see `pose`).

    Returns:
      The example with the features of the Slim convention (`image/encoded`, `image/format`, `image/height`,
      `image/width`, `image/class/label`, `image/class/text`) and `image/channels`, `image/id`, `image/split`,
      `image/source`, and where given `image/group`, `image/seed`, `image/generator_digest` and `image/keypoints`
      (63 floats).

    Raises:
      ValueError: if a synthetic image is to stand in another split than `train`.
    """
    if source == "synthetic" and split != "train":
        raise ValueError(f"a synthetic image may stand in the split train only, not in {split}")
    height, width, channels = image_shape
    features = {
        "image/encoded": _bytes(encoded),
        "image/format": _bytes("png"),
        "image/height": _int64(height),
        "image/width": _int64(width),
        "image/channels": _int64(channels),
        "image/class/label": _int64(label),
        "image/class/text": _bytes(class_name),
        "image/id": _bytes(image_id),
        "image/split": _bytes(split),
        "image/source": _bytes(source),
    }
    if group is not None:
        features["image/group"] = _int64(group)
    if seed is not None:
        features["image/seed"] = _int64(seed)
    if generator_digest is not None:
        features["image/generator_digest"] = _bytes(generator_digest)
    if keypoints is not None:
        features[_KEYPOINTS] = _floats(keypoints)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def parse(serialized: Any) -> dict[str, Any]:
    """What training and evaluation read of a batch of records, as tensors.

    Args:
      serialized: string[n].

    Returns:
      `encoded` string[n], `label` int64[n], `id` string[n], `seed` int64[n] (-1 for a real image).
    """
    parsed = tf.io.parse_example(serialized, _FEATURES)
    return {
        "encoded": parsed["image/encoded"],
        "label": parsed["image/class/label"],
        "id": parsed["image/id"],
        "seed": parsed["image/seed"],
    }


def parse_keypoints(serialized: Any) -> dict[str, Any]:
    """The key points in a batch of records, all of which have some, as tensors.

    Args:
      serialized: string[n].

    Returns:
      `id` string[n], `keypoints` float32[n, 21, 3].
    """
    parsed = tf.io.parse_example(serialized, _KEYPOINT_FEATURES)
    return {"id": parsed["image/id"], "keypoints": parsed[_KEYPOINTS]}


def shard_name(index: int, count: int) -> str:
    """File name of shard `index` of `count`, as TFX's standard components expect it."""
    return f"data_tfrecord-{index:05d}-of-{count:05d}.gz"


def write_shard(path: str, serialized: Iterable[bytes]) -> int:
    """Writes a gzipped TFRecord file, so that it appears whole or not at all.

    Args:
      path: file to write, local or remote (`gs://…`); its folder is made.
      serialized: tf.Examples.

    Returns:
      How many were written.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}")
    tf.io.gfile.makedirs(folder)
    count = 0
    try:
        with tf.io.TFRecordWriter(temporary, WRITER_OPTIONS) as writer:
            for example in serialized:
                writer.write(example)
                count += 1
        tf.io.gfile.rename(temporary, path, overwrite=True)
    finally:
        if tf.io.gfile.exists(temporary):
            tf.io.gfile.remove(temporary)
    return count


@dataclass(frozen=True)
class SourceShard:
    """One file of a source's images; small enough to travel to a worker.

    Attributes:
      plan: names the plan that it is part of; a worker opens the source once for each.
      data: the `data` section as JSON, from which a worker opens the source again.
      channels: 1 or 3.
      split: name of the split.
      rows: int32[m], the images in the file, by index in the source.
      path: the file.
      done: images in the files before it, for progress.
      total: images of all splits, for progress.
    """

    plan: str
    data: str
    channels: int
    split: str
    rows: NDArray[np.int32]
    path: str
    done: int
    total: int


def plan_shards(config: Data, preparation: Preparation, folder: str) -> list[SourceShard]:
    """Divides the images of each split into files `folder`/Split-<split>/data_tfrecord-….gz.

    A split without images gets one empty file, since readers expect at least one.
    """
    total = int(np.count_nonzero(preparation.split))
    shards: list[SourceShard] = []
    plan, done = uuid.uuid4().hex, 0
    for number, split in enumerate(SPLITS[1:], start=1):
        rows = np.flatnonzero(preparation.split == number).astype(np.int32)
        pieces = np.array_split(rows, max(1, -(-len(rows) // SHARD_IMAGES)))
        for index, piece in enumerate(pieces):
            shards.append(
                SourceShard(
                    plan=plan,
                    data=config.canonical_json(),
                    channels=preparation.channels,
                    split=split,
                    rows=piece,
                    path=f"{folder}/Split-{split}/{shard_name(index, len(pieces))}",
                    done=done,
                    total=total,
                )
            )
            done += len(piece)
    return shards


@lru_cache(maxsize=1)
def _open(plan: str, data: str) -> tuple[Data, ImageSet]:
    # Once per worker process and plan, not once per shard; the files may have changed since an earlier plan.
    config = Data.model_validate_json(data)
    return config, open_images(config)


def write_source_shard(shard: SourceShard) -> int:
    """Reads, converts and writes the images of one shard; returns how many.

    Runs in any process: it opens the source again where that process has not yet done so.
    """
    config, images = _open(shard.plan, shard.data)
    shape = (config.image_size, config.image_size, shard.channels)

    def encode(row: int, find_hand: pose.FindHand | None) -> bytes:
        label, image_id = int(images.labels[row]), images.identify(row)
        pixels = decode.at_own_size(images.read(row))
        return encode_example(
            decode.encode_png(decode.to_pixels(pixels, config.image_size, shard.channels)),
            image_shape=shape,
            image_id=image_id,
            label=label,
            class_name=images.class_names[label],
            split=shard.split,
            source="real",
            group=None if images.groups is None else int(images.groups[row]),
            keypoints=None if find_hand is None else find_hand(image_id, pixels),
        )

    with nullcontext() if config.keypoints is None else pose.open_finder(config.keypoints) as find_hand:
        written = write_shard(shard.path, (encode(row, find_hand) for row in shard.rows.tolist()))
    progress.advance("write images", shard.done + written, shard.total, "image")
    return written
