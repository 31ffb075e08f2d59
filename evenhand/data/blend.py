"""Batches from two tables at once: real and synthetic images in exact shares, or pooled until the classes balance."""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from evenhand.config import Mixing, Section
from evenhand.data.image_table import ImageTable
from evenhand.data.sampling import Sampling, class_law, epoch_rows, sampler
from evenhand.errors import UserError

_LOG = logging.getLogger(__name__)

_SECOND_STREAM = 2**32
"""Added to the seed for the second table, so that its draws are independent of the first one's."""


class Blend(Section):
    """How a second table's images join those of the first.

    Attributes:
      share: of every batch, exactly, drawn alike for every class; or `balance`: both tables are one pool, to which the
        second gives each class what it lacks to the largest, its images with the lowest seeds.
      weight: of the second table's mean loss beside the first one's (lambda); None counts every image alike.
      most: with `balance`, at most so many times a class's own images; None for no bound.
    """

    share: float | Literal["balance"] = 0.5
    weight: float | None = Field(None, gt=0.0)
    most: float | None = Field(None, gt=0.0)

    @model_validator(mode="after")
    def _consistent(self) -> Blend:
        if self.share == "balance":
            if self.weight is not None:
                raise ValueError("weight needs a share that is a number: a pool has one loss")
        elif not 0.0 < float(self.share) < 1.0:
            raise ValueError("share must be above 0 and below 1")
        elif self.most is not None:
            raise ValueError("most is for share: balance")
        return self


def num_second(batch_size: int, share: float) -> int:
    """How many images of a batch are the second table's, at least one and not all.

    Raises:
      UserError: if the batch is too small for both shares.
    """
    second = round(share * batch_size)
    if not 0 < second < batch_size:
        raise UserError(
            "training.batch_size", f"{batch_size} images cannot be shared {1 - share:g} to {share:g}", "make it larger"
        )
    return second


def lacking(counts: NDArray[np.integer], most: float | None = None) -> NDArray[np.int64]:
    """How many images each class lacks to the largest.

    Args:
      counts: int[c], images of each class.
      most: at most so many times a class's own images; None for no bound.

    Returns:
      int64[c].
    """
    found = counts.max() - counts
    if most is not None:
        # No class lacks more than as many times its own images as the largest class has.
        bound = min(most, float(counts.max()))
        found = np.minimum(found, np.floor(bound * counts).astype(np.int64))
    return found.astype(np.int64)


class Draws:
    """Which images the batches of a phase hold; the batch of a step is a pure function of the seed and the step.

    Args:
      first: the images.
      second: those that join them; None for none.
      batch_size: images in a batch.
      sampling: how the first table's images are drawn, see `batches`.
      seed: of the order.
      blend: how the second table joins.

    Attributes:
      tables: the first table and, where there is one, the second.
      weights: float32[b], of the images of a batch by their place in it.

    Raises:
      UserError: if a batch is too small for both shares, or the tables are of other classes or sizes.
    """

    def __init__(  # noqa: PLR0913 - what batches depend on
        self,
        first: ImageTable,
        second: ImageTable | None = None,
        *,
        batch_size: int,
        sampling: Sampling,
        seed: int,
        blend: Blend | None = None,
    ) -> None:
        if (second is None) != (blend is None):
            raise ValueError("a second table and how it blends are given together")
        self.tables = [table for table in (first, second) if table is not None]
        for table in self.tables:
            if not len(table):
                raise ValueError("a table without images gives no batches")
            if (table.class_names, table.image_shape) != (first.class_names, first.image_shape):
                raise UserError(
                    "synthetic images", "have other classes or another size than the real ones", "match them"
                )
        self.batch_size, self._sampling, self._seed = batch_size, sampling, seed
        self.weights = np.ones(batch_size, np.float32)
        self._pool = None
        # Whether each place of a batch is the second table's, where that is the same for every batch.
        self.places = np.zeros(batch_size, bool)
        if blend is not None and blend.share == "balance":
            self._pool = _filled(first, self.tables[1], blend.most)
        elif blend is not None:
            self._set_shares(float(blend.share), blend.weight)
        num_second = int(self.places.sum())
        self._draw_first = sampler(first, batch_size=batch_size - num_second, sampling=sampling, seed=seed)
        if num_second:
            self._draw_second = sampler(
                self.tables[1], batch_size=num_second, sampling="balanced", seed=seed + _SECOND_STREAM
            )

    def _set_shares(self, share: float, weight: float | None) -> None:
        size, second = self.batch_size, num_second(self.batch_size, share)
        counts = (size - second, second)
        # The two alternate as evenly as they can, so that every replica of a divided batch gets its part of both.
        order = np.argsort(np.concatenate([(np.arange(count) + 0.5) / count for count in counts]), kind="stable")
        self.places = np.repeat([False, True], counts)[order]
        if weight is not None:
            self.weights = np.where(self.places, weight * size / second, size / counts[0]).astype(np.float32)

    def __call__(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """int64[b] and bool[b]: the rows of the step's images, and whether they are the second table's."""
        if self._pool is not None:
            kept, filled = self._pool
            drawn = epoch_rows(kept + len(filled), self.batch_size, self._seed, step)
            is_second = drawn >= kept
            rows = drawn.copy()
            rows[is_second] = filled[drawn[is_second] - kept]
            return rows, is_second
        rows = np.empty(self.batch_size, np.int64)
        rows[~self.places] = self._draw_first(step)
        if self.places.any():
            rows[self.places] = self._draw_second(step)
        return rows, self.places

    def images(self, rows: NDArray[np.int64], is_second: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """uint8[b, h, w, c] of drawn rows."""
        if not is_second.any():
            return np.take(self.tables[0].images, rows, axis=0)
        found = np.empty((len(rows), *self.tables[0].image_shape), np.uint8)
        for table, chosen in zip(self.tables, (~is_second, is_second), strict=True):
            found[chosen] = np.take(table.images, rows[chosen], axis=0)
        return found

    def labels(self, rows: NDArray[np.int64], is_second: NDArray[np.bool_]) -> NDArray[np.int32]:
        """int32[b] of drawn rows."""
        labels = self.tables[0].labels[np.where(is_second, 0, rows)]
        if is_second.any():
            labels[is_second] = self.tables[1].labels[rows[is_second]]
        return labels.astype(np.int32)

    @property
    def num_images(self) -> int:
        """Images that take part: an epoch, where batches go through all of them."""
        if self._pool is not None:
            return self._pool[0] + len(self._pool[1])
        counts = self.tables[0].class_counts
        kept = counts[counts > 0].min() * (counts > 0).sum() if self._sampling == "undersample" else counts.sum()
        return int(kept) + sum(len(table) for table in self.tables[1:])

    def class_counts(self, mixing: Mixing | None = None) -> NDArray[np.float64]:
        """float64[c], the images of each class that the loss sees: the law of the drawn labels times the images.

        Args:
          mixing: pairs across the two tables move the weight of either to the other.
        """
        first = self.tables[0].class_counts
        if self._pool is not None:
            filled = np.bincount(self.tables[1].labels[self._pool[1]], minlength=len(first))
            return (first + filled).astype(np.float64)
        own, others = self.weights, np.zeros_like(self.weights)
        if self.places.any() and mixing is not None and mixing.pairs == "across":
            moved = 0.5 * mixing.probability
            own, others = (1.0 - moved) * self.weights, moved * self.weights[self.partners()]
        second_share = float(own[self.places].sum() + others[~self.places].sum()) / float((own + others).sum())
        law = (1.0 - second_share) * class_law(first, self._sampling)
        if self.places.any():
            law += second_share * class_law(self.tables[1].class_counts, "balanced")
        counts: NDArray[np.float64] = law * self.num_images
        return counts

    def partners(self) -> NDArray[np.int64]:
        """int64[b], for each place of a batch one of the other table's, in turn; places repeat where shares differ."""
        first, second = np.flatnonzero(~self.places), np.flatnonzero(self.places)
        partners = np.empty(self.batch_size, np.int64)
        partners[first] = np.resize(second, len(first))
        partners[second] = np.resize(first, len(second))
        return partners


def _filled(first: ImageTable, second: ImageTable, most: float | None) -> tuple[int, NDArray[np.int64]]:
    """Rows of the first table, and int64[m], those of the second that give each class what it lacks to the largest.

    Where the second table has fewer images of a class than are lacking, they repeat, in order.
    """
    wanted = lacking(first.class_counts, most)
    if second is not first:
        _tell_repeats(second, wanted)
    by_class = np.argsort(second.labels, kind="stable")
    ends = np.cumsum(second.class_counts)
    parts = [
        np.resize(by_class[end - count : end], want if count else 0)
        for end, count, want in zip(ends, second.class_counts, wanted, strict=True)
    ]
    return len(first), np.concatenate(parts).astype(np.int64)


def _tell_repeats(second: ImageTable, wanted: NDArray[np.integer]) -> None:
    counts = second.class_counts
    short = [
        f"{name} ({count} of {want})"
        for name, count, want in zip(second.class_names, counts, wanted, strict=True)
        if count < want
    ]
    if short:
        _LOG.warning("synthetic images repeat, or are missing, in classes that lack more: %s", ", ".join(short))
