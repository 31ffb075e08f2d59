"""Two strategies on the same test images: how large the change is, and whether it could be chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.evaluation.change_interval import MINIMUM_TEST_IMAGES as MINIMUM_TEST_IMAGES
from evenhand.evaluation.change_interval import ChangeOverSeeds, change_interval, image_interval, over_seeds
from evenhand.evaluation.needed_images import needed_images
from evenhand.evaluation.paired_tests import cohens_g, odds_ratio, sign_flip
from evenhand.evaluation.paired_tests import holm as holm
from evenhand.evaluation.paired_tests import mcnemar as mcnemar

Verdict = Literal["helped", "hurt", "no evidence"]


@dataclass(frozen=True)
class ClassChange:
    """What a strategy changes for one class.

    Attributes:
      name: name of the class.
      change: recall of the strategy minus that of the reference, in [-1, 1]; None without test images.
      low: lower end of the change's interval.
      high: upper end of the change's interval.
      p: p-value after Holm's correction over the classes that can be ranked; `p_raw` where `reason` is given.
      p_raw: p-value of this class alone; with several seeds the larger of McNemar's and Student's t's.
      verdict: `helped` or `hurt` where `p` is below 1 - confidence, else `no evidence`.
      reason: why no ranking was drawn at all; None where one could be.
      cohens_g: effect size of McNemar's test, in [-0.5, 0.5]; None where the two differ on no image.
      odds_ratio: images that only the strategy recognises over those that only the reference does; None without such.
      needed_images: test images of the class on which a change of 5 points would be seen in 4 of 5 cases where no other
        class changes, beside the classes that can be ranked now; None without test images.
    """

    name: str
    change: float | None
    low: float | None
    high: float | None
    p: float
    p_raw: float
    verdict: Verdict
    reason: str | None = None
    cohens_g: float | None = None
    odds_ratio: float | None = None
    needed_images: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The object as it stands in result.json."""
        values = dict(self.__dict__)
        return {"class": values.pop("name"), **values}


@dataclass(frozen=True)
class Change:
    """A change of recall over some or all classes.

    Attributes:
      change: weighted mean change of recall, in [-1, 1].
      low: lower end of its interval.
      high: upper end of its interval.
      verdict: `helped` where `low` is above zero, `hurt` where `high` is below, else `no evidence`; that too where the
        images, weighted as they are, tell no more than fewer than `MINIMUM_TEST_IMAGES` would.
    """

    change: float
    low: float
    high: float
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """What a strategy changes against a reference.

    Attributes:
      balanced_accuracy_change: mean change of recall over the classes, in [-1, 1].
      low: lower end of its interval.
      high: upper end of its interval.
      verdict: as that of `Change`.
      per_class: the change of each class, in the order of the class names.
    """

    balanced_accuracy_change: float
    low: float
    high: float
    verdict: Verdict
    per_class: tuple[ClassChange, ...]

    def to_dict(self) -> dict[str, Any]:
        """The object as it stands in result.json."""
        return {**self.__dict__, "per_class": [change.to_dict() for change in self.per_class]}


def compare(
    labels: ArrayLike,
    predictions: ArrayLike,
    reference: ArrayLike,
    class_names: Sequence[str],
    *,
    confidence: float = 0.95,
    seed: int = 0,
    num_resamples: int = 10_000,
) -> Comparison:
    """Compares a strategy with a reference on the same test images.

    The interval of the balanced accuracy change is that of `change_interval`: with one seed a paired bootstrap,
    stratified by class, with several one that holds the doubt about seeds as well.
    Each class is tested by McNemar's exact test with Holm's correction over the classes of `MINIMUM_TEST_IMAGES` or
    more. With several seeds that test (`sign_flip`) speaks of these models, so that the larger of its p-value and that
    of Student's t over seeds and images counts.

    Args:
      labels: int[n], the true classes, each in [0, c).
      predictions: int[r, n] or int[n], predicted classes of the strategy for each of r seeds.
      reference: like `predictions`, of the reference.
      class_names: the c names.
      confidence: the level of intervals and verdicts, in (0, 1).
      seed: of the bootstrap's draws.
      num_resamples: draws of the bootstrap.

    Returns:
      The change and its doubt, in all and for each class.

    Raises:
      ValueError: if shapes do not fit or a label is out of range.
    """
    sides = _blocks(labels, predictions, reference, len(class_names))
    crossed = [over_seeds([a], [b], np.ones(1)) if len(a) > 1 and a.shape[1] else None for a, b in sides]
    raw = np.array([_p(a, b, seen) for (a, b), seen in zip(sides, crossed, strict=True)])
    # A class that is never ranked raises no false alarm, so that the others need not pay for it.
    ranked = np.array([a.shape[1] >= MINIMUM_TEST_IMAGES for a, _ in sides])
    corrected = raw.copy()
    corrected[ranked] = holm(raw[ranked])
    # With the images that it needs, a class too small to rank would be one more.
    families = ranked.sum() + ~ranked
    per_class = tuple(
        _class_change(name, a, b, seen, (float(p), float(p_raw)), confidence, int(family))
        for name, (a, b), seen, p, p_raw, family in zip(
            class_names, sides, crossed, corrected, raw, families, strict=True
        )
    )
    balanced = _change(sides, np.ones(len(sides)), confidence, seed, num_resamples)
    assert balanced is not None, "there are test images"
    return Comparison(balanced.change, balanced.low, balanced.high, balanced.verdict, per_class)


def compare_weighted(
    labels: ArrayLike,
    predictions: ArrayLike,
    reference: ArrayLike,
    weights: ArrayLike,
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> Change | None:
    """The change of recall where class k counts by `weights[k]`: a prior of the classes, or a group of them.

    Args:
      labels: int[n], the true classes, each in [0, c).
      predictions: int[r, n] or int[n], predicted classes of the strategy for each of r seeds.
      reference: like `predictions`, of the reference.
      weights: float[c], not negative, in any scale; classes without test images are left out.
      confidence: the level of interval and verdict, in (0, 1).
      seed: of the bootstrap's draws.

    Returns:
      The change; None if no class that counts has test images.

    Raises:
      ValueError: if shapes do not fit or a label is out of range.
    """
    weights = np.asarray(weights, np.float64)
    return _change(_blocks(labels, predictions, reference, len(weights)), weights, confidence, seed, 10_000)


def _blocks(
    labels: ArrayLike, predictions: ArrayLike, reference: ArrayLike, num_classes: int
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """bool[seeds, images of the class] of either side, for every class."""
    labels = np.asarray(labels)
    a, b = np.atleast_2d(predictions) == labels, np.atleast_2d(reference) == labels
    if labels.ndim != 1 or len(labels) == 0 or a.shape != b.shape or a.shape[1:] != labels.shape:
        raise ValueError(f"expected labels [n] and two arrays [seeds, n], not {labels.shape}, {a.shape}, {b.shape}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"labels must be in [0, {num_classes}), not in [{labels.min()}, {labels.max()}]")
    members = [np.flatnonzero(labels == k) for k in range(num_classes)]
    return [(a[:, rows], b[:, rows]) for rows in members]


def _change(
    sides: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    weights: NDArray[np.float64],
    confidence: float,
    seed: int,
    num_resamples: int,
) -> Change | None:
    counted = [(a, b, w) for (a, b), w in zip(sides, weights, strict=True) if a.shape[1] and w > 0]
    if not counted:
        return None
    strategy, reference = [a for a, _, _ in counted], [b for _, b, _ in counted]
    shares = np.array([w for _, _, w in counted])
    shares /= shares.sum()
    change = float(shares @ [a.mean() - b.mean() for a, b, _ in counted])
    low, high = change_interval(
        strategy, reference, shares, confidence=confidence, seed=seed, num_resamples=num_resamples
    )
    # As many equally weighted images would leave as much doubt (Kish, Survey Sampling, 1965).
    worth = 1 / float(shares**2 @ [1 / a.shape[1] for a in strategy])
    verdict: Verdict = "helped" if low > 0 else "hurt" if high < 0 else "no evidence"
    return Change(change, low, high, verdict if worth >= MINIMUM_TEST_IMAGES else "no evidence")


def _p(a: NDArray[np.bool_], b: NDArray[np.bool_], crossed: ChangeOverSeeds | None) -> float:
    """p-value of no change in one class, from bool[seeds, images] of either side."""
    of_models = sign_flip((a.astype(np.int64) - b).sum(axis=0))
    return of_models if crossed is None else max(of_models, crossed.p)


def _class_change(
    name: str,
    a: NDArray[np.bool_],
    b: NDArray[np.bool_],
    crossed: ChangeOverSeeds | None,
    p_values: tuple[float, float],
    confidence: float,
    family: int,
) -> ClassChange:
    """Change of one class from bool[seeds, images] of either side.

    Args:
      name: of the class.
      a: of the strategy.
      b: of the reference.
      crossed: the change over seeds and images; None with one seed.
      p_values: with and without Holm's correction.
      confidence: the level.
      family: classes that are corrected for.
    """
    p, p_raw = p_values
    num_seeds, num_images = a.shape
    if num_images == 0:
        return ClassChange(name, None, None, None, p, p_raw, "no evidence", "no test images")
    change = float(a.mean() - b.mean())
    low, high = image_interval(a, b, confidence) if crossed is None else crossed.interval(confidence)
    only_a, only_b = float((a & ~b).sum()) / num_seeds, float((b & ~a).sum()) / num_seeds
    verdict: Verdict = "no evidence" if p >= 1 - confidence else "helped" if change > 0 else "hurt"
    reason = None
    if num_images < MINIMUM_TEST_IMAGES:
        noun = "image" if num_images == 1 else "images"
        reason, verdict = f"only {num_images} test {noun}, too few to rank", "no evidence"
    return ClassChange(
        name,
        change,
        low,
        high,
        p,
        p_raw,
        verdict,
        reason,
        cohens_g=cohens_g(only_a, only_b),
        odds_ratio=odds_ratio(only_a, only_b),
        needed_images=needed_images((only_a + only_b) / num_images, confidence=1 - (1 - confidence) / family),
    )
