"""A strategy's predictions as a Parquet file: one row per image and seed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import UserError


@dataclass(frozen=True)
class Predictions:
    """Predictions of one seed's model.

    Attributes:
      seed: the seed it was trained with.
      ids: str[n], ids of the images.
      splits: str[n], `validation` or `test`.
      labels: int32[n], the true classes.
      probabilities: float32[n, c], rows summing to 1.
    """

    seed: int
    ids: NDArray[np.object_]
    splits: NDArray[np.object_]
    labels: NDArray[np.int32]
    probabilities: NDArray[np.float32]

    @classmethod
    def of(
        cls, seed: int, ids: ArrayLike, splits: ArrayLike, labels: ArrayLike, probabilities: ArrayLike
    ) -> Predictions:
        """Predictions from any arrays or lists of equal length.

        Raises:
          ValueError: if the lengths differ.
        """
        made = cls(
            seed,
            np.asarray(ids, object),
            np.asarray(splits, object),
            np.asarray(labels, np.int32),
            np.asarray(probabilities, np.float32),
        )
        if made.probabilities.ndim != 2 or not len(made.ids) == len(made.splits) == len(made.labels) == len(
            made.probabilities
        ):
            raise ValueError("ids, splits, labels [n] and probabilities [n, c] must have one length")
        return made

    def part(self, split: str) -> Predictions:
        """The rows of one split, ordered by image id, so that models can be compared image by image."""
        rows = np.flatnonzero(self.splits == split)
        rows = rows[np.argsort(self.ids[rows], kind="stable")]
        return Predictions(self.seed, self.ids[rows], self.splits[rows], self.labels[rows], self.probabilities[rows])

    def __len__(self) -> int:
        return len(self.labels)


def write_predictions(path: str | os.PathLike[str], predictions: Sequence[Predictions]) -> None:
    """Writes the predictions of all seeds of one strategy.

    Args:
      path: the `.parquet` file; its columns are image_id, split, label, seed and p_0 to p_(c-1).
      predictions: one entry per seed, at least one.
    """
    pq.write_table(pa.concat_tables([_table(part) for part in predictions]), path, compression="zstd")


def _table(predictions: Predictions) -> pa.Table:
    columns = {
        "image_id": pa.array(predictions.ids, pa.string()),
        "split": pa.array(predictions.splits, pa.string()),
        "label": pa.array(predictions.labels, pa.int32()),
        "seed": pa.array(np.full(len(predictions), predictions.seed, np.int32)),
    }
    for k, column in enumerate(predictions.probabilities.T):
        columns[f"p_{k}"] = pa.array(np.ascontiguousarray(column), pa.float32())
    return pa.table(columns)


def read_predictions(path: str | os.PathLike[str]) -> list[Predictions]:
    """Reads what `write_predictions` wrote.

    Args:
      path: the `.parquet` file.

    Returns:
      One entry per seed, in ascending order of the seeds.

    Raises:
      UserError: if the file is missing or holds something else.
    """
    try:
        table = pq.read_table(path)
        num_classes = table.num_columns - 4
        wanted = ["image_id", "split", "label", "seed", *(f"p_{k}" for k in range(num_classes))]
        if num_classes < 1 or table.column_names != wanted:
            raise pa.ArrowInvalid("other columns than image_id, split, label, seed, p_0, ...")
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(str(path), f"no predictions to read ({error})", "name a file written by a run") from error
    seeds = sorted(table["seed"].unique().to_pylist())
    return [_of_table(table.filter(pc.equal(table["seed"], seed)), seed, num_classes) for seed in seeds]


def _of_table(table: pa.Table, seed: int, num_classes: int) -> Predictions:
    return Predictions.of(
        seed,
        table["image_id"].to_numpy(),
        table["split"].to_numpy(),
        table["label"].to_numpy(),
        np.stack([table[f"p_{k}"].to_numpy() for k in range(num_classes)], axis=1),
    )
