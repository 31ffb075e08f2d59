"""Two strategies on the same test images: how large the change is, and whether it could be chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from evenhand.evaluation.intervals import paired_difference, widen_by_seeds

Verdict = Literal["helped", "hurt", "no evidence"]

MINIMUM_TEST_IMAGES = 10
"""Below this many test images of a class no ranking is drawn from it."""


@dataclass(frozen=True)
class ClassChange:
    """What a strategy changes for one class.

    Attributes:
      name: name of the class.
      change: recall of the strategy minus that of the reference, in [-1, 1]; None without test images.
      low: lower end of the change's interval.
      high: upper end of the change's interval.
      p: p-value after Holm's correction over the classes.
      p_raw: p-value of this class alone.
      verdict: `helped` or `hurt` where `p` is below 1 - confidence, else `no evidence`.
      reason: why no ranking was drawn at all; None where one could be.
    """

    name: str
    change: float | None
    low: float | None
    high: float | None
    p: float
    p_raw: float
    verdict: Verdict
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The object as it stands in result.json."""
        values = dict(self.__dict__)
        return {"class": values.pop("name"), **values}


@dataclass(frozen=True)
class Comparison:
    """What a strategy changes against a reference.

    Attributes:
      balanced_accuracy_change: mean change of recall over the classes, in [-1, 1].
      low: lower end of its bootstrap interval.
      high: upper end of its bootstrap interval.
      verdict: `helped` where `low` is above zero, `hurt` where `high` is below, else `no evidence`.
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


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """McNemar's exact two-sided test on the same images.

    Args:
      correct_a: bool[n], whether the first classifier is right.
      correct_b: bool[n], whether the second classifier is right.

    Returns:
      The p-value: the images on which they differ, against a fair coin; 1 when they differ on none.
    """
    a, b = np.asarray(correct_a, bool), np.asarray(correct_b, bool)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"expected two arrays [n] of one length, not {a.shape} and {b.shape}")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    if only_a + only_b == 0:
        return 1.0
    return float(stats.binomtest(only_a, only_a + only_b, 0.5).pvalue)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down correction (1979), which bounds the chance of any false alarm.

    Args:
      p: float[m], p-values in [0, 1].

    Returns:
      float64[m], the adjusted p-values, in the given order.
    """
    p = np.asarray(p, np.float64)
    if p.ndim != 1 or ((p < 0) | (p > 1) | np.isnan(p)).any():
        raise ValueError("p-values must be a list of numbers in [0, 1]")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def sign_flip(differences: ArrayLike) -> float:
    """Exact two-sided sign-flip test that integer differences are centred on zero.

    With differences in {-1, 0, 1} it is McNemar's exact test; with several seeds an image's difference is summed over
    the seeds first, so that the images, not their repeated predictions, are what is counted.

    Args:
      differences: int[n], one per image.

    Returns:
      The p-value: the share of sign patterns whose sum is at least as far from zero as the one seen.
    """
    values = np.asarray(differences, np.int64)
    values = values[values != 0]
    if len(values) == 0:
        return 1.0
    law = np.ones(1)
    for size, count in zip(*np.unique(np.abs(values), return_counts=True), strict=True):
        coins = np.zeros(2 * size * count + 1)
        coins[:: 2 * size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        law = np.convolve(law, coins)
    sums = np.arange(len(law)) - len(law) // 2
    return float(min(1.0, law[np.abs(sums) >= abs(int(values.sum()))].sum()))


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

    The interval of the balanced accuracy change is a paired bootstrap, stratified by class; with several seeds it draws
    the seeds as well as the images (hierarchical); it is never narrower than what the classes' intervals add up to.
    Each class is tested by McNemar's exact test (over seeds: by its generalisation `sign_flip`) with Holm's correction.
    With several seeds a class is `helped` or `hurt` only where its interval, which then holds the doubt about seeds,
    leaves out zero as well.

    Args:
      labels: int[n], the true classes, each in [0, c).
      predictions: int[r, n] or int[n], predicted classes of the strategy for each of r seeds.
      reference: like `predictions`, of the reference; seed i is paired with seed i.
      class_names: the c names.
      confidence: the level of intervals and verdicts, in (0, 1).
      seed: of the bootstrap's draws.
      num_resamples: draws of the bootstrap.

    Returns:
      The change and its doubt, in all and for each class.

    Raises:
      ValueError: if shapes do not fit or a label is out of range.
    """
    labels = np.asarray(labels)
    a, b = np.atleast_2d(predictions) == labels, np.atleast_2d(reference) == labels
    if labels.ndim != 1 or len(labels) == 0 or a.shape != b.shape or a.shape[1:] != labels.shape:
        raise ValueError(f"expected labels [n] and two arrays [seeds, n], not {labels.shape}, {a.shape}, {b.shape}")
    if labels.min() < 0 or labels.max() >= len(class_names):
        raise ValueError(f"labels must be in [0, {len(class_names)}), not in [{labels.min()}, {labels.max()}]")
    members = [np.flatnonzero(labels == k) for k in range(len(class_names))]
    signs = a.astype(np.int64) - b
    raw = np.array([sign_flip(signs[:, rows].sum(axis=0)) for rows in members])
    per_class = tuple(
        _class_change(name, a[:, rows], b[:, rows], float(p), float(p_raw), confidence)
        for name, rows, p, p_raw in zip(class_names, members, holm(raw), raw, strict=True)
    )
    present = [signs[:, rows] for rows in members if len(rows)]
    change = float(np.mean([block.mean() for block in present]))
    drawn = _bootstrap_interval(present, confidence, seed, num_resamples)
    combined = _combined_interval([c for c in per_class if c.change is not None], change)
    low, high = min(drawn[0], combined[0]), max(drawn[1], combined[1])
    return Comparison(
        balanced_accuracy_change=change,
        low=low,
        high=high,
        verdict="helped" if low > 0 else "hurt" if high < 0 else "no evidence",
        per_class=per_class,
    )


def _class_change(
    name: str, a: NDArray[np.bool_], b: NDArray[np.bool_], p: float, p_raw: float, confidence: float
) -> ClassChange:
    """Change of one class from bool[seeds, images] of either side."""
    num_seeds, num_images = a.shape
    if num_images == 0:
        return ClassChange(name, None, None, None, p, p_raw, "no evidence", "no test images")
    both, only_a, only_b, neither = (float(cell.sum()) / num_seeds for cell in (a & b, a & ~b, b & ~a, ~a & ~b))
    per_seed = [float(x) for x in a.mean(axis=1) - b.mean(axis=1)]
    of_images = paired_difference(both, only_a, only_b, neither, confidence)
    low, high = widen_by_seeds(of_images, per_seed, confidence)
    low, high = max(-1.0, low), min(1.0, high)
    change = float(np.mean(per_seed))
    if num_images < MINIMUM_TEST_IMAGES:
        noun = "image" if num_images == 1 else "images"
        reason = f"only {num_images} test {noun}, too few to rank"
        return ClassChange(name, change, low, high, p, p_raw, "no evidence", reason)
    significant = p < 1 - confidence and (num_seeds == 1 or low > 0 or high < 0)
    verdict: Verdict = "no evidence" if not significant else "helped" if change > 0 else "hurt"
    return ClassChange(name, change, low, high, p, p_raw, verdict)


def _combined_interval(classes: Sequence[ClassChange], change: float) -> tuple[float, float]:
    """The classes' own intervals, their distances added in quadrature (the MOVER method, Zou and Donner 2008).

    Where a few images of a class all agree, a bootstrap sees no doubt; Newcombe's interval does.
    """
    below = [(c.change or 0.0) - (c.low or 0.0) for c in classes]
    above = [(c.high or 0.0) - (c.change or 0.0) for c in classes]
    num_classes = len(classes)
    return (
        max(-1.0, change - float(np.linalg.norm(below)) / num_classes),
        min(1.0, change + float(np.linalg.norm(above)) / num_classes),
    )


def _bootstrap_interval(
    blocks: Sequence[NDArray[np.int64]], confidence: float, seed: int, num_resamples: int
) -> tuple[float, float]:
    """Percentile interval of the mean over classes of the mean difference; one int[seeds, images] block per class."""
    rng = np.random.default_rng(seed)
    num_seeds = len(blocks[0])
    # float[resamples, seeds]: each seed's mean over classes, the same drawn images for every seed.
    drawn = np.zeros((num_resamples, num_seeds))
    for block in blocks:
        # Images with equal differences are alike, so drawing how often each kind appears is drawing the images.
        kinds, counts = np.unique(block, axis=1, return_counts=True)
        num_images = block.shape[1]
        draws = rng.multinomial(num_images, counts / num_images, size=num_resamples)
        drawn += draws @ kinds.T / (num_images * len(blocks))
    weights = rng.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=num_resamples) / num_seeds
    changes = (drawn * weights).sum(axis=1)
    low, high = np.quantile(changes, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
