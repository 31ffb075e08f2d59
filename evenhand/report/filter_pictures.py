"""A few images that filters kept and dropped, kept beside the result so that the report can be drawn again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evenhand.data.image_table import ImageTable

if TYPE_CHECKING:
    from evenhand.evaluation.filtering import Filtered

FILE_NAME = "filtered.parquet"

PICTURES_PER_CLASS, MOST_CLASSES = 5, 40

_TYPES = pa.schema(
    [
        ("class_name", pa.string()),
        ("image_id", pa.string()),
        ("dropped_by", pa.string()),
        ("score", pa.float64()),
        ("png", pa.binary()),
    ]
)


@dataclass(frozen=True)
class FilterPicture:
    """An image that was kept or dropped.

    Attributes:
      class_name: of the class that it was made for.
      image_id: its id.
      dropped_by: the filter that dropped it; None if it is used.
      score: what that filter went by, or the last one if it is used.
      png: the encoded image.
    """

    class_name: str
    image_id: str
    dropped_by: str | None
    score: float
    png: bytes


def pick(found: Filtered, table: ImageTable) -> list[FilterPicture]:
    """The first used and the first dropped images of each class, so that nobody has chosen them.

    Args:
      found: what came of the filters.
      table: all images that were drawn. Of more than 40 classes, those that lost most are shown.
    """
    from evenhand.data.decode import encode_png  # reading pictures needs no Pillow

    scores, dropped_by = np.full(len(table), np.nan), np.full(len(table), -1)
    for number, step in enumerate(found.steps):
        scores[step.rows] = step.scores
        dropped_by[step.rows[~step.kept]] = number
    lost = found.counts(dropped_by >= 0)
    shown = np.sort(np.argsort(-lost, kind="stable")[:MOST_CLASSES])
    return [
        FilterPicture(
            class_name=table.class_names[label],
            image_id=str(table.ids[row]),
            dropped_by=None if dropped_by[row] < 0 else found.steps[dropped_by[row]].name,
            score=float(scores[row]),
            png=encode_png(np.asarray(table.images[row]), synthetic=True),
        )
        for label in shown.tolist()
        for chosen in (found.used, dropped_by >= 0)
        for row in np.flatnonzero(chosen & (table.labels == label))[:PICTURES_PER_CLASS]
    ]


def write_pictures(path: str | os.PathLike[str], pictures: Sequence[FilterPicture]) -> None:
    """Writes pictures as a Parquet file with the fields of `FilterPicture` as columns, in this order."""
    pq.write_table(pa.Table.from_pylist([asdict(picture) for picture in pictures], _TYPES), path)


def read_pictures(path: str | os.PathLike[str]) -> list[FilterPicture]:
    """Reads what `write_pictures` wrote; an absent file gives no pictures."""
    if not Path(path).exists():
        return []
    return [FilterPicture(**row) for row in pq.read_table(path).to_pylist()]
