"""Nearest images by their pixels, whatever their position to the pixel and whether they are mirrored.

A copy that was mirrored or moved by a pixel is far from its original, pixel by pixel. So a query is compared in
several views of itself: mirrored or not, moved by up to two pixels each way. Only what all views have in common counts,
the interior of the image, so that nothing must be made up at the borders.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from evenhand.evaluation.neighbours import Neighbours, by_distance, chunks, forbid_own, smallest

MOST_SHIFT = 2
"""Pixels by which a copy may be moved along each axis; less in images under 16 pixels."""

_COARSE, _FINE = 8, 32
"""Side, in cells, of the reduced images that choose the candidates, and at most of those that are compared."""

_CANDIDATES = 16
_GREY = 127.5


def nearest_pixels(
    queries: NDArray[np.uint8], references: NDArray[np.uint8], k: int, *, own_rows: NDArray[np.int64] | None = None
) -> Neighbours:
    """The k nearest references of each query, at the best alignment of each pair.

    The distance is the root mean square difference of the pixels, in grey levels of 0 to 255, of the interiors of both
    images; images with a side above 36 pixels are first averaged to 32 cells a side. Candidates are the nearest at a
    coarse resolution, over mirroring and shifts too; among them the alignment is exact.

    Args:
      queries: uint8[n, h, w, c].
      references: uint8[m, h, w, c].
      k: neighbours, at most `_CANDIDATES`, and at most m, or m - 1 with `own_rows`.
      own_rows: int64[n], the row of each query among the references, which is no neighbour of itself; None where the
        queries are other images.

    Raises:
      ValueError: if the images are not of one shape.
    """
    if queries.shape[1:] != references.shape[1:]:
        raise ValueError(f"all images must have one shape, not {queries.shape[1:]} and {references.shape[1:]}")
    candidates = _candidates(queries, references, own_rows)
    distances = np.empty(candidates.shape, np.float32)
    views = _Views(queries.shape[1:], _FINE)
    # Thousands of small matrix products: threads would spend their time waiting for each other.
    with threadpool_limits(1, "blas"):
        for part in chunks(len(queries), views.values):
            distances[part] = _aligned_distances(queries[part], references, candidates[part], views)
    rows, distances = by_distance(candidates, distances)
    return rows[:, :k], distances[:, :k]


class _Views:
    """Mirrors, moves, cuts and averages images, all by two products with constant matrices.

    Args:
      image_shape: height, width, channels.
      most_cells: side, in cells, that larger interiors are averaged to.

    Attributes:
      values: in all views of one image.
    """

    def __init__(self, image_shape: tuple[int, ...], most_cells: int) -> None:
        height, width, channels = image_shape
        margin = min(MOST_SHIFT, min(height, width) // 8)
        shifts = range(2 * margin + 1)
        self._above = np.stack([_averaging(height, margin, shift, most_cells) for shift in shifts])
        self._left = np.stack([_averaging(width, margin, shift, most_cells) for shift in shifts])
        self._centre = margin
        cells = self._above.shape[1] * self._left.shape[1] * channels
        self.values = 2 * len(shifts) ** 2 * cells

    def all(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32[n, views, d]: the interior in each view, around 0."""
        return self._product(images, self._above, np.concatenate([self._left, self._left[:, :, ::-1]]))

    def plain(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32[n, d]: the interior as it is."""
        here = slice(self._centre, self._centre + 1)
        return self._product(images, self._above[here], self._left[here])[:, 0]

    def _product(
        self, images: NDArray[np.uint8], above: NDArray[np.float32], left: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        planes = images.transpose(0, 3, 1, 2).astype(np.float32) - np.float32(_GREY)
        count, channels, height, width = planes.shape
        tall = above.reshape(-1, height) @ planes @ left.reshape(-1, width).T
        split = tall.reshape(count, channels, *above.shape[:2], *left.shape[:2])
        return split.transpose(0, 2, 4, 1, 3, 5).reshape(count, len(above) * len(left), -1)


def _averaging(size: int, margin: int, shift: int, most_cells: int) -> NDArray[np.float32]:
    """float32[cells, size]: cuts `size` pixels to the interior that lies `shift` from the start, and averages cells."""
    interior = size - 2 * margin
    cells = min(interior, most_cells)
    edges = np.arange(cells + 1) * (interior / cells) + shift
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.clip(overlap, 0.0, 1.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _candidates(
    queries: NDArray[np.uint8], references: NDArray[np.uint8], own_rows: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    count = min(_CANDIDATES, len(references) - (own_rows is not None))
    views = _Views(queries.shape[1:], _COARSE)
    coarse = np.concatenate([views.plain(references[part]) for part in chunks(len(references), references[0].size)])
    # |q - r|^2 - |q|^2 = (q, 1) (-2 r, |r|^2): the norms of the references cost no pass of their own.
    folded = np.concatenate([-2 * coarse.T, (coarse**2).sum(axis=1)[None]])
    rows = np.empty((len(queries), count), np.int64)
    for part in chunks(len(queries), max(len(references), views.values)):
        with threadpool_limits(1, "blas"):
            seen = views.all(queries[part]).transpose(1, 0, 2)
        norms = (seen**2).sum(axis=2)[:, :, None]
        ones = np.ones((*seen.shape[:2], 1), np.float32)
        squared = np.full((seen.shape[1], len(references)), np.inf, np.float32)
        product = np.empty_like(squared)
        for view, norm in zip(np.concatenate([seen, ones], axis=2), norms, strict=True):
            np.matmul(view, folded, out=product)
            product += norm
            np.minimum(squared, product, out=squared)
        forbid_own(squared, part, own_rows)
        rows[part] = smallest(squared, count)
    return rows


def _aligned_distances(
    queries: NDArray[np.uint8], references: NDArray[np.uint8], candidates: NDArray[np.int64], views: _Views
) -> NDArray[np.float32]:
    """float32[n, candidates]: root mean square difference of each pair in the view that fits best."""
    seen = views.all(queries)
    needed, where = np.unique(candidates, return_inverse=True)
    others = views.plain(references[needed])[where.reshape(candidates.shape)]
    # The norm of the other image is the same in all views, so the best view is found without it.
    best = ((seen**2).sum(axis=2)[:, :, None] - 2 * seen @ others.transpose(0, 2, 1)).argmin(axis=1)
    # Sums of squares lose the last digits, and a copy is known by them: the best view is compared again, directly.
    differences = seen[np.arange(len(seen))[:, None], best] - others
    return np.sqrt(np.mean(differences**2, axis=2))
