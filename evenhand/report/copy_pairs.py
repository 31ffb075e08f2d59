"""The pictures of flagged pairs, kept beside the result so that the report can be drawn again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FILE_NAME = "copies.parquet"

_TYPES = pa.schema(
    [
        ("synthetic_id", pa.string()),
        ("real_id", pa.string()),
        ("synthetic_png", pa.binary()),
        ("real_png", pa.binary()),
    ]
)


@dataclass(frozen=True)
class PairPictures:
    """A flagged synthetic image and the training image it is a copy of; what else is known stands in `AuditPart`.

    Attributes:
      synthetic_id: id of the synthetic image.
      real_id: id of the training image.
      synthetic_png: the encoded synthetic image.
      real_png: the encoded training image.
    """

    synthetic_id: str
    real_id: str
    synthetic_png: bytes
    real_png: bytes


def write_pairs(path: str | os.PathLike[str], pairs: Sequence[PairPictures]) -> None:
    """Writes pairs as a Parquet file with the fields of `PairPictures` as columns, in this order."""
    pq.write_table(pa.Table.from_pylist([asdict(pair) for pair in pairs], _TYPES), path)


def read_pairs(path: str | os.PathLike[str]) -> list[PairPictures]:
    """Reads what `write_pairs` wrote; an absent file gives no pairs."""
    if not Path(path).exists():
        return []
    return [PairPictures(**row) for row in pq.read_table(path).to_pylist()]
