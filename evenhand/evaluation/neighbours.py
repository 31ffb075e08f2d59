"""Nearest neighbours in feature space, in chunks that bound the memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHUNK_VALUES = 8_000_000
"""Distances held at once: 32 MB."""

Neighbours = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Rows int64[n, k] of the nearest references and their distances float32[n, k], nearest first."""


def nearest_features(
    queries: NDArray[np.float32], references: NDArray[np.float32], k: int, *, own_rows: NDArray[np.int64] | None = None
) -> Neighbours:
    """The k nearest references of each query by Euclidean distance.

    Args:
      queries: float32[n, d].
      references: float32[m, d].
      k: neighbours, at most m, or m - 1 with `own_rows`.
      own_rows: int64[n], the row of each query among the references, which is no neighbour of itself; None where the
        queries are other images.
    """
    # Distances come from scalar products, which lose digits far from the origin.
    centre = references.mean(axis=0)
    centred = references - centre
    norms = (centred**2).sum(axis=1)
    rows = np.empty((len(queries), k), np.int64)
    for part in chunks(len(queries), len(references)):
        squared = norms - 2 * (queries[part] - centre) @ centred.T
        forbid_own(squared, part, own_rows)
        rows[part] = smallest(squared, k)
    return by_distance(rows, _exact_distances(queries, references, rows))


def _exact_distances(
    queries: NDArray[np.float32], references: NDArray[np.float32], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    distances = np.empty(rows.shape, np.float32)
    for part in chunks(len(queries), rows.shape[1] * queries.shape[1]):
        distances[part] = np.linalg.norm(queries[part, None] - references[rows[part]], axis=2)
    return distances


def chunks(rows: int, values_per_row: int) -> list[slice]:
    """Slices of consecutive rows that together hold at most `CHUNK_VALUES` values (or one row)."""
    size = max(1, CHUNK_VALUES // max(1, values_per_row))
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def forbid_own(squared: NDArray[np.float32], part: slice, own_rows: NDArray[np.int64] | None) -> None:
    """Sets the distance of each query of a chunk to itself to infinity."""
    if own_rows is not None:
        squared[np.arange(len(squared)), own_rows[part]] = np.inf


def smallest(values: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Columns of the k smallest values of each row, in no order."""
    if k >= values.shape[1]:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    return np.argpartition(values, k - 1, axis=1)[:, :k]


def by_distance(rows: NDArray[np.int64], distances: NDArray[np.float32]) -> Neighbours:
    """Sorts neighbours by their distance; the lower row first where two are equally far."""
    order = np.lexsort((rows, distances), axis=1)
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(distances, order, axis=1)
