"""All that is said of synthetic images beside real ones, over all and class by class, with its bias in words.

FID, precision, recall, density and coverage change with the number of images, so both sides always count with equal
numbers of them: of the larger side as many are drawn, without repetition, as the smaller one has. KID is unbiased and
takes its subsets from all images; the Inception Score knows no real images and takes all synthetic ones. Distances to
nearest neighbours are counted over at most `ScoreSettings.most_neighbour_images` images of each side: their number
grows with the square.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand import progress
from evenhand.evaluation import score_warnings
from evenhand.evaluation.image_quality import frechet_distance, inception_score, kernel_distance, prdc

_KID_SUBSETS, _KID_SUBSET_SIZE, _KID_DRAWS = 100, 1000, 10
_SPLIT_IMAGES, _MOST_SPLITS = 500, 10


@dataclass(frozen=True)
class Features:
    """What an extractor made of some images.

    Attributes:
      values: float[n, d]; float32 is as good as float64.
      labels: int[n], index of each image's class into the names that both sides share; -1 for a class that only this
        side has.
      extractor: name of the extractor, with a digest, so that features of different ones are told apart.
      probabilities: float[n, k], class probabilities where the extractor has them; k need not be the number of classes.
    """

    values: NDArray[np.floating[Any]]
    labels: NDArray[np.integer[Any]]
    extractor: str
    probabilities: NDArray[np.floating[Any]] | None = None


@dataclass(frozen=True)
class ScoreSettings:
    """How scores are computed.

    Attributes:
      neighbours: k of precision, recall, density and coverage.
      most_neighbour_images: of each side for these four.
      seed: of what is drawn.
    """

    neighbours: int = 5
    most_neighbour_images: int = 10_000
    seed: int = 0


DEFAULTS = ScoreSettings()


@dataclass(frozen=True)
class Scores:
    """Measures of synthetic images beside real ones; None where there are too few images for one.

    Attributes:
      num_real: real images.
      num_synthetic: synthetic images.
      num_compared: images of each side that `fid` is of.
      num_neighbour_images: images of each side that `precision`, `recall`, `density` and `coverage` are of.
      fid: Frechet distance, 0 or more; lower is better.
      kid: kernel distance, unbiased, so that it may fall below 0; lower is better.
      inception_score: mean over parts of the synthetic images, 1 or more; None without class probabilities. Within one
        class it is near 1 where all images belong to one class of the extractor.
      inception_score_std: standard deviation over the parts.
      precision: share of synthetic images within reach of real ones.
      recall: share of real images within reach of synthetic ones.
      density: how many real images a synthetic one is within reach of, over k; about 1 for equal distributions.
      coverage: share of real images with a synthetic one within reach.
      warnings: what must be known before these numbers are used, one sentence each.
    """

    num_real: int
    num_synthetic: int
    num_compared: int
    num_neighbour_images: int = 0
    fid: float | None = None
    kid: float | None = None
    inception_score: float | None = None
    inception_score_std: float | None = None
    precision: float | None = None
    recall: float | None = None
    density: float | None = None
    coverage: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class GenerativeScores:
    """Scores over all and per class on the features of one extractor.

    Attributes:
      extractor: name of the extractor, with a digest. Scores of different extractors are never comparable.
      num_features: width of the features.
      images: how images were brought to one size, e.g. `28 x 28 pixels, grey, Pillow bilinear`.
      overall: of all images, also those of classes that one side lacks.
      per_class: (name, scores) of every class that both sides know.
      settings: how they were computed.
    """

    extractor: str
    num_features: int
    images: str
    overall: Scores
    per_class: tuple[tuple[str, Scores], ...]
    settings: ScoreSettings

    def to_dict(self) -> dict[str, Any]:
        """The object that `evenhand score --json` prints and that is `generator.scores` in result.json; never NaN."""
        return {
            "extractor": self.extractor,
            "num_features": self.num_features,
            "images": self.images,
            **dataclasses.asdict(self.settings),
            **_row(self.overall),
            "per_class": [{"class": name, **_row(scores)} for name, scores in self.per_class],
        }

    def is_comparable(self, other: GenerativeScores) -> bool:
        """Whether the numbers of both may stand side by side: the same extractor, image preparation and settings.

        They are still biased by the number of images: compare `num_compared` too.
        """
        return (self.extractor, self.images, self.settings) == (other.extractor, other.images, other.settings)


def generative_scores(
    real: Features,
    synthetic: Features,
    class_names: Sequence[str],
    *,
    images: str = "",
    settings: ScoreSettings = DEFAULTS,
    notes: Sequence[str] = (),
) -> GenerativeScores:
    """Scores synthetic images against real ones, over all and for each class.

    Memory beside the features: under 2 GB for 100,000 x 2,048 float32 on each side. Time grows with the images times
    the square of the features, and for the nearest neighbours with the square of `settings.most_neighbour_images`.

    Args:
      real: features of real images. Held-out ones tell most: a generator that copies its training images scores well
        against those.
      synthetic: features of synthetic images, of the same extractor.
      class_names: names of the classes that labels stand for.
      images: how images were brought to one size, for the result.
      settings: numbers of neighbours and images, seed.
      notes: warnings of the caller's, which come first.

    Returns:
      The scores. A class without images on one side has its counts and a warning.

    Raises:
      ValueError: if the features are of different extractors or widths, not finite, or labels are out of range.
    """
    _check(real, synthetic, len(class_names))
    total = 1 + len(class_names)
    progress.advance("compare images", 0, total, "comparison")
    overall = _scores(_Rows(real.values), _Rows(synthetic.values), synthetic.probabilities, settings)
    progress.advance("compare images", 1, total, "comparison")
    per_class = []
    for label, name in enumerate(class_names):
        a, b = real.labels == label, synthetic.labels == label
        if a.all() and b.all():
            scores = overall
        else:
            probabilities = None if synthetic.probabilities is None else synthetic.probabilities[b]
            sides = _Rows(real.values, np.flatnonzero(a)), _Rows(synthetic.values, np.flatnonzero(b))
            scores = _scores(*sides, probabilities, settings)
        per_class.append((name, scores))
        progress.advance("compare images", 2 + label, total, "comparison")
    said = (
        *notes,
        *score_warnings.of_class_shares(real.labels, synthetic.labels, len(class_names)),
        *overall.warnings,
        *score_warnings.of_classes(
            {name: scores.num_compared for name, scores in per_class},
            [name for name, scores in per_class if scores.precision is None],
        ),
    )
    return GenerativeScores(
        extractor=real.extractor,
        num_features=real.values.shape[1],
        images=images,
        overall=dataclasses.replace(overall, warnings=said),
        per_class=tuple(per_class),
        settings=settings,
    )


def _row(scores: Scores) -> dict[str, Any]:
    values = dataclasses.asdict(scores)
    values["warnings"] = list(scores.warnings)
    return {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in values.items()}


def _check(real: Features, synthetic: Features, num_classes: int) -> None:
    if real.extractor != synthetic.extractor:
        raise ValueError(f"features of different extractors: {real.extractor} and {synthetic.extractor}")
    shapes = real.values.shape, synthetic.values.shape
    if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        raise ValueError(f"expected features [n, d] and [m, d], not {shapes[0]} and {shapes[1]}")
    for side in (real, synthetic):
        if side.labels.shape != side.values.shape[:1]:
            raise ValueError(f"expected labels [{len(side.values)}], not {side.labels.shape}")
        if len(side.labels) and not -1 <= side.labels.min() <= side.labels.max() < num_classes:
            raise ValueError(f"labels must be in [-1, {num_classes})")


@dataclass(frozen=True)
class _Rows:
    """Some rows of features, copied no sooner than a measure asks for them; None is all of them."""

    values: NDArray[Any]
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.values if self.rows is None else self.rows)

    def all(self) -> NDArray[Any]:
        return self.values if self.rows is None else self.values[self.rows]

    def drawn(self, size: int, seed: int, purpose: str) -> NDArray[Any]:
        """`size` of them without repetition, in their order."""
        if size == len(self):
            return self.all()
        chosen = np.sort(_rng(seed, purpose).permutation(len(self))[:size])
        return self.values[chosen if self.rows is None else self.rows[chosen]]


def _rng(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng([seed, *purpose.encode()])


def _scores(real: _Rows, synthetic: _Rows, probabilities: NDArray[Any] | None, settings: ScoreSettings) -> Scores:
    size, seed = min(len(real), len(synthetic)), settings.seed
    num_near = min(size, settings.most_neighbour_images)
    values: dict[str, float] = {}
    if size >= 2:
        values["fid"] = frechet_distance(
            real.drawn(size, seed, "fid real"), synthetic.drawn(size, seed, "fid synthetic")
        )
        values["kid"] = _kid(real, synthetic, seed)
    if num_near > settings.neighbours:
        near = real.drawn(num_near, seed, "prdc real"), synthetic.drawn(num_near, seed, "prdc synthetic")
        values |= prdc(*near, k=settings.neighbours)
    if probabilities is not None and len(probabilities):
        splits = int(np.clip(len(probabilities) // _SPLIT_IMAGES, 1, _MOST_SPLITS))
        # Parts are consecutive rows, and images often stand class by class.
        mixed = probabilities[_rng(seed, "inception score").permutation(len(probabilities))]
        values["inception_score"], values["inception_score_std"] = inception_score(mixed, num_splits=splits)
    return Scores(
        num_real=len(real),
        num_synthetic=len(synthetic),
        num_compared=size if size >= 2 else 0,
        num_neighbour_images=num_near if num_near > settings.neighbours else 0,
        warnings=tuple(
            score_warnings.of_few_images(
                len(real),
                len(synthetic),
                real.values.shape[1],
                neighbours=settings.neighbours,
                most_neighbour_images=settings.most_neighbour_images,
            )
        ),
        **values,
    )


def _kid(real: _Rows, synthetic: _Rows, seed: int) -> float:
    smaller, larger = sorted((len(real), len(synthetic)))
    size = min(smaller, _KID_SUBSET_SIZE)
    # Each image is drawn some ten times; a subset that is all there is, once.
    subsets = 1 if size == larger else min(_KID_SUBSETS, _KID_DRAWS * larger // size)
    return kernel_distance(real.all(), synthetic.all(), num_subsets=subsets, subset_size=size, seed=seed)
