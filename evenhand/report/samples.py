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


@dataclass(frozen=True)
class Sample:
    """An image that the report shows.

    Attributes:
      class_name: name of its class.
      source: `real` or `synthetic`.
      image_id: its id.
      png: the encoded image.
    """

    class_name: str
    source: Literal["real", "synthetic"]
    image_id: str
    png: bytes


def pick(table: ImageTable, source: Literal["real", "synthetic"], per_class: int) -> list[Sample]:
    """The first images of each class, in the table's order.

    Args:
      table: the images to pick from.
      source: where they come from.
      per_class: images of each class at most.
    """
    from evenhand.data.decode import encode_png  # reading samples needs no Pillow

    return [
        Sample(
            name,
            source,
            str(table.ids[row]),
            encode_png(np.asarray(table.images[row]), synthetic=source == "synthetic"),
        )
        for k, name in enumerate(table.class_names)
        for row in np.flatnonzero(table.labels == k)[:per_class]
    ]


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
