"""Which synthetic images are copies of training images, judged by how near real images come to each other.

A synthetic image is compared with its nearest training image, and that distance with the distances to the next nearest:
a copy is far nearer to its original than to anything else, while an image between many is about as near to all of them.
This ratio has no unit, so images of dense and sparse classes, and of classes of five images, share one threshold. The
threshold is the ratio that fresh real images fall below at the allowed rate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evenhand.evaluation.alignment import nearest_pixels
from evenhand.evaluation.embedded import Embedded
from evenhand.evaluation.neighbours import Neighbours, chunks, nearest_features

Space = Literal["pixels", "features"]
Reference = Literal["held-out", "leave-one-out"]

LEAST_TRAINING_IMAGES = 3
"""Without a nearest and a next nearest for each training image itself nothing can be told."""

_NEXT = 5  # neighbours after the nearest, whose median distance is the local scale
_MOST_REFERENCES = 5000
"""Fresh images, spread over all, that set the threshold; more would hardly move it, and each costs a search."""


@dataclass(frozen=True)
class Nearness:
    """How near synthetic images come to training images, in one space.

    Attributes:
      rows: int64[n], the nearest training image of each.
      distances: float32[n], to it: grey levels (root mean square, best alignment) or units of the features.
      scores: float32[n], that distance over the median distance to the next five training images; 0 for a copy.
      threshold: the score up to which an image is flagged.
      flagged: bool[n].
    """

    rows: NDArray[np.int64]
    distances: NDArray[np.float32]
    scores: NDArray[np.float32]
    threshold: float
    flagged: NDArray[np.bool_]


@dataclass(frozen=True)
class CopyPair:
    """A flagged synthetic image and the training image that it is a copy of.

    Attributes:
      synthetic_id: id of the synthetic image.
      real_id: id of the training image.
      synthetic_row: row of the synthetic image.
      real_row: row of the training image.
      label: class that the synthetic image was made for.
      space: where it was flagged; `pixels` where in both.
      distance: between the two, see `Nearness.distances`.
      score: see `Nearness.scores`.
    """

    synthetic_id: str
    real_id: str
    synthetic_row: int
    real_row: int
    label: int
    space: Space
    distance: float
    score: float


@dataclass(frozen=True)
class CopyAudit:
    """What the audit found.

    Attributes:
      spaces: nearness by space.
      flagged: bool[n], whether an image is a copy by any of the spaces.
      class_counts: int64[c], synthetic images of each class.
      class_copies: int64[c], the flagged ones among them.
      false_alarms: share of fresh real images that may be flagged, over all spaces together.
      reference: whose distances set the thresholds: `held-out` real images, or, where those are too few, the training
        images themselves, each against all others.
      num_references: how many those were.
      pairs: the flagged images, the surest copies first.
    """

    spaces: dict[Space, Nearness]
    flagged: NDArray[np.bool_]
    class_counts: NDArray[np.int64]
    class_copies: NDArray[np.int64]
    false_alarms: float
    reference: Reference
    num_references: int
    pairs: tuple[CopyPair, ...]

    @property
    def share(self) -> float:
        """Share of synthetic images that are copies; 0 where there are none."""
        return float(self.flagged.mean()) if len(self.flagged) else 0.0

    def surest_pairs(self, per_class: int) -> list[CopyPair]:
        """At most `per_class` pairs of each class, the surest first."""
        seen: Counter[int] = Counter()
        chosen = []
        for pair in self.pairs:
            seen[pair.label] += 1
            if seen[pair.label] <= per_class:
                chosen.append(pair)
        return chosen


def audit_copies(
    synthetic: Embedded,
    train: Embedded,
    held_out: Embedded,
    *,
    false_alarms: float = 0.01,
    spaces: tuple[Space, ...] = ("pixels", "features"),
) -> CopyAudit:
    """Flags synthetic images that are copies of training images, of any class.

    In pixels, mirrored copies and those moved by up to two pixels are found too (see `alignment`). Each space may give
    its share of the false alarms. What repeats more than twice among the training images is flagged only when it is
    repeated exactly, since it has no single original.

    Args:
      synthetic: the images to judge.
      train: what the generator was trained on; three images at least.
      held_out: real images that it was not trained on, perhaps none.
      false_alarms: share of fresh real images that may be flagged, in (0, 0.5).
      spaces: what is compared.

    Raises:
      ValueError: if there are fewer than three training images, or an argument is out of its range.
    """
    if len(train) < LEAST_TRAINING_IMAGES:
        raise ValueError(f"three training images are needed at least, not {len(train)}")
    if not 0 < false_alarms < 0.5 or not spaces:
        raise ValueError(f"false_alarms must be in (0, 0.5) and a space be named, not {false_alarms} and {spaces}")
    rate = false_alarms / len(spaces)
    left_out, fresh = (_spread(len(part)) for part in (train, held_out))
    by_held_out = len(fresh) >= min(1 / rate - 1, len(left_out))
    judged: dict[Space, Nearness] = {}
    for space in spaces:
        if by_held_out:
            references = _scores(_nearest(space, held_out.rows(fresh), train)[1])
        else:
            references = _scores(_nearest(space, train.rows(left_out), train, left_out)[1])
        judged[space] = _nearness(_nearest(space, synthetic, train), score_threshold(references, rate))
    flagged = np.logical_or.reduce([nearness.flagged for nearness in judged.values()])
    num_classes = int(max((part.labels.max() for part in (synthetic, train) if len(part)), default=-1)) + 1
    return CopyAudit(
        spaces=judged,
        flagged=flagged,
        class_counts=np.bincount(synthetic.labels, minlength=num_classes),
        class_copies=np.bincount(synthetic.labels[flagged], minlength=num_classes),
        false_alarms=false_alarms,
        reference="held-out" if by_held_out else "leave-one-out",
        num_references=len(fresh if by_held_out else left_out),
        pairs=tuple(sorted(_pairs(synthetic, train, judged), key=lambda pair: (pair.space != "pixels", pair.score))),
    )


def _spread(count: int) -> NDArray[np.int64]:
    """Rows, evenly spread over all, at most `_MOST_REFERENCES`."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_REFERENCES)).round().astype(np.int64))


def score_threshold(scores: NDArray[np.floating], rate: float) -> float:
    """The score up to which at most `rate` of fresh images fall, from the scores of n other fresh images.

    The order statistic of rank floor(rate (n + 1)), which holds for any distribution. Of too few images for that, the
    prediction limit of a log-normal law fitted to them, and never more than the lowest of them.

    Args:
      scores: float[n], 0 or more.
      rate: in (0, 1).

    Returns:
      The threshold; 0, so that only exact copies are flagged, where nothing can be said.
    """
    rank = int(np.floor(rate * (len(scores) + 1)))
    if rank >= 1:
        return float(np.partition(scores, rank - 1)[rank - 1])
    logs = np.log(scores[scores > 0])
    if len(logs) < 3:
        return 0.0
    reach = stats.t.ppf(rate, len(logs) - 1) * logs.std(ddof=1) * np.sqrt(1 + 1 / len(logs))
    return float(np.exp(min(logs.mean() + reach, logs.min())))


def exact_copies(synthetic: NDArray[np.uint8], real: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Rows (synthetic, real) of images that are equal pixel by pixel; of several equal real ones the first.

    Args:
      synthetic: uint8[n, h, w, c].
      real: uint8[m, h, w, c], images that they may not repeat, e.g. those of the test split.
    """
    if synthetic.shape[1:] != real.shape[1:] or not len(real):
        return []
    values, first = np.unique(_checksums(real), return_index=True)
    sums = _checksums(synthetic)
    place = np.minimum(np.searchsorted(values, sums), len(values) - 1)
    suspects = np.flatnonzero(values[place] == sums)
    return [
        (int(row), int(first[place[row]]))
        for row in suspects
        if np.array_equal(synthetic[row], real[first[place[row]]])
    ]


def _checksums(pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """uint64[n]: equal for equal images, and for others hardly ever."""
    size = int(np.prod(pixels.shape[1:]))
    weights = np.random.default_rng(0).integers(0, 2**64, size, np.uint64)
    sums = np.empty(len(pixels), np.uint64)
    for part in chunks(len(pixels), size):
        sums[part] = pixels[part].reshape(-1, size).astype(np.uint64) @ weights
    return sums


def _nearest(space: Space, queries: Embedded, train: Embedded, own_rows: NDArray[np.int64] | None = None) -> Neighbours:
    k = min(1 + _NEXT, len(train) - (own_rows is not None))
    if space == "pixels":
        return nearest_pixels(queries.pixels, train.pixels, k, own_rows=own_rows)
    return nearest_features(queries.features, train.features, k, own_rows=own_rows)


def _scores(distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance to the nearest over the median distance to the next ones."""
    scale = np.median(distances[:, 1:], axis=1)
    return np.divide(distances[:, 0], scale, out=np.zeros_like(scale), where=scale > 0)


def _nearness(neighbours: Neighbours, threshold: float) -> Nearness:
    rows, distances = neighbours
    scores = _scores(distances)
    return Nearness(rows[:, 0], distances[:, 0], scores, threshold, scores <= threshold)


def _pairs(synthetic: Embedded, train: Embedded, judged: dict[Space, Nearness]) -> Iterator[CopyPair]:
    told = np.zeros(len(synthetic), bool)
    for space, nearness in judged.items():
        for row in np.flatnonzero(nearness.flagged & ~told).tolist():
            real = int(nearness.rows[row])
            yield CopyPair(
                synthetic_id=str(synthetic.ids[row]),
                real_id=str(train.ids[real]),
                synthetic_row=row,
                real_row=real,
                label=int(synthetic.labels[row]),
                space=space,
                distance=float(nearness.distances[row]),
                score=float(nearness.scores[row]),
            )
        told |= nearness.flagged
