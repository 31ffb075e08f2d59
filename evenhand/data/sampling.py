"""Which rows of a table a batch holds: a pure function of the seed and the step."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evenhand.data.image_table import ImageTable

Sampling = Literal["instance", "balanced", "sqrt", "undersample"]


def sampler(table: ImageTable, *, batch_size: int, sampling: Sampling, seed: int) -> Callable[[int], NDArray[np.int64]]:
    """Step -> int64[batch_size], the rows of that step's batch."""
    if sampling == "instance":
        return lambda step: epoch_rows(len(table), batch_size, seed, step)
    if sampling == "undersample":
        kept = undersampled(table, seed)
        return lambda step: kept[epoch_rows(len(kept), batch_size, seed, step)]
    counts = table.class_counts
    present = np.flatnonzero(counts)
    law = class_law(counts, sampling)[present]
    by_class = np.argsort(table.labels, kind="stable")
    starts = np.cumsum(counts) - counts

    def draw(step: int) -> NDArray[np.int64]:
        rng = np.random.default_rng([seed, step])
        classes = rng.choice(present, size=batch_size, p=law)
        return by_class[starts[classes] + rng.integers(counts[classes])]

    return draw


def class_law(counts: NDArray[np.integer], sampling: Sampling) -> NDArray[np.float64]:
    """float64[c], the share of each class among the images that `sampling` draws from so many of each."""
    if sampling == "instance":
        weights = counts.astype(np.float64)
    elif sampling == "sqrt":
        weights = np.sqrt(counts)
    else:
        weights = (counts > 0).astype(np.float64)
    return weights / weights.sum()


def undersampled(table: ImageTable, seed: int) -> NDArray[np.int64]:
    """Rows of a random choice of as many images of each class as the rarest one has, without repetition."""
    counts = table.class_counts
    fewest = counts[counts > 0].min()
    shuffled = np.random.default_rng([seed]).permutation(len(table))
    by_class = shuffled[np.argsort(table.labels[shuffled], kind="stable")]
    places = np.arange(len(table)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(by_class[places < fewest])


def epoch_rows(num_images: int, batch_size: int, seed: int, step: int) -> NDArray[np.int64]:
    """int64[batch_size], rows of the step's batch when every epoch goes through all images in an order of its own."""
    positions = np.arange(step * batch_size, (step + 1) * batch_size, dtype=np.int64)
    epochs, places = np.divmod(positions, num_images)
    rows = np.empty(batch_size, np.int64)
    for epoch in range(epochs[0], epochs[-1] + 1):
        rows[epochs == epoch] = _order(num_images, seed, epoch)[places[epochs == epoch]]
    return rows


@lru_cache(maxsize=4)
def _order(num_images: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(num_images)
