"""A few real and synthetic images of each class, kept beside the result so that the report can be drawn again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evenhand.data.image_table import ImageTable

FILE_NAME = "samples.parquet"

Source = Literal["real", "synthetic", "nearest"]
"""Where a shown image comes from; `nearest`: the training image that is most like the synthetic one at its place."""


@dataclass(frozen=True)
class Sample:
    """An image that the report shows.

    Attributes:
      class_name: name of its class.
      source: of it.
      image_id: its id.
      png: the encoded image.
    """

    class_name: str
    source: Source
    image_id: str
    png: bytes


def pick(table: ImageTable, source: Literal["real", "synthetic"], per_class: int) -> list[Sample]:
    """The first images of each class, in the table's order.

    Args:
      table: the images to pick from.
      source: where they come from.
      per_class: images of each class at most.
    """
    return [_sample(table, row, table.labels[row], source) for row in _first(table, per_class)]


def pick_nearest(synthetic: ImageTable, train: ImageTable, per_class: int) -> list[Sample]:
    """For each synthetic image that `pick` picks, in its order, the training image of any class that is most like it.

    Args:
      synthetic: the images to pick from.
      train: the real images that the generator learned from.
      per_class: synthetic images of each class at most.
    """
    from evenhand.evaluation.alignment import nearest_pixels

    rows = _first(synthetic, per_class)
    if not rows or not len(train):
        return []
    nearest, _ = nearest_pixels(np.asarray(synthetic.images[rows]), train.images, 1)
    return [
        _sample(train, int(real), synthetic.labels[row], "nearest")
        for row, real in zip(rows, nearest[:, 0], strict=True)
    ]


def _first(table: ImageTable, per_class: int) -> list[int]:
    return [int(row) for k in range(len(table.class_names)) for row in np.flatnonzero(table.labels == k)[:per_class]]


def _sample(table: ImageTable, row: int, shown_under: int, source: Source) -> Sample:
    from evenhand.data.decode import encode_png  # reading samples needs no Pillow

    png = encode_png(np.asarray(table.images[row]), synthetic=source == "synthetic")
    return Sample(table.class_names[shown_under], source, str(table.ids[row]), png)


def write_samples(path: str | os.PathLike[str], samples: Sequence[Sample]) -> None:
    """Writes samples as a Parquet file with the columns class, source, image_id and png."""
    columns = {
        "class": pa.array([sample.class_name for sample in samples], pa.string()),
        "source": pa.array([sample.source for sample in samples], pa.string()),
        "image_id": pa.array([sample.image_id for sample in samples], pa.string()),
        "png": pa.array([sample.png for sample in samples], pa.binary()),
    }
    pq.write_table(pa.table(columns), path)


def read_samples(path: str | os.PathLike[str]) -> list[Sample]:
    """Reads what `write_samples` wrote; an absent file gives no samples, and the report then shows none."""
    if not Path(path).exists():
        return []
    rows = pq.read_table(path).to_pylist()
    return [Sample(row["class"], row["source"], row["image_id"], row["png"]) for row in rows]
