"""Two strategies on the same test images, in the measures over all classes that are no means of recalls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.evaluation.bootstrap import NUM_RESAMPLES, chunk_sizes
from evenhand.evaluation.change_interval import ChangeOverSeeds, freedom_over_seeds
from evenhand.evaluation.comparison import MINIMUM_TEST_IMAGES, Change
from evenhand.evaluation.confusion import measure_margins

MEASURES = ("accuracy", "macro_f1", "weighted_f1", "geometric_mean", "matthews", "worst_class_recall")


@dataclass(frozen=True)
class MeasuredChange(Change):
    """A change of a measure over all classes.

    Attributes:
      reason: why there is no verdict at all; None where there is one.
    """

    reason: str | None = None


def measure_changes(
    labels: ArrayLike,
    predictions: ArrayLike,
    reference: ArrayLike,
    num_classes: int,
    *,
    confidence: float = 0.95,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> dict[str, MeasuredChange]:
    """The change of each of `MEASURES`, with the interval of a paired bootstrap, stratified by class.

    Which class is the worst is a ranking, so that only classes of `MINIMUM_TEST_IMAGES` or more stand for it; without
    one the change is that over all classes and gets no verdict.

    An image is drawn with all that both strategies answer to it. Each class is smoothed by two images, as Agresti and
    Min do (2005): one that both recognise, and one that only the strategy or only the reference does, so that a few
    images which all agree still show doubt; what the draws lie below and above the smoothed change is laid around the
    change seen. Several seeds add the variance between them to that of the draws, and Student's t, as in `over_seeds`.

    Args:
      labels: int[n], the true classes, each in [0, c); at least one image.
      predictions: int[r, n] or int[n], predicted classes of the strategy for each of r seeds.
      reference: like `predictions`, of the reference.
      num_classes: c.
      confidence: the level of intervals and verdicts, in (0, 1).
      seed: of the draws.
      num_resamples: draws.

    Returns:
      By name: strategy minus reference, means over seeds; that of `matthews` is in [-2, 2], the others' in [-1, 1].

    Raises:
      ValueError: if shapes do not fit or there is no image.
    """
    labels = np.asarray(labels)
    sides = np.atleast_2d(predictions), np.atleast_2d(reference)
    if labels.ndim != 1 or len(labels) == 0 or any(side.shape != (len(sides[0]), len(labels)) for side in sides):
        raise ValueError(f"expected labels [n] and two arrays [seeds, n], not {labels.shape} and {sides[0].shape}")
    answers = np.concatenate(sides)
    groups = [_Alike.of(int(k), answers[:, labels == k], num_classes) for k in np.unique(labels)]
    seen = _values(groups, [group.seen[None] for group in groups], num_classes)
    centre = _values(groups, [group.num_images * group.shares[None] for group in groups], num_classes)
    rng = np.random.default_rng(seed)
    drawn = [
        _values(groups, [rng.multinomial(group.num_images, group.shares, size=count) for group in groups], num_classes)
        for count in chunk_sizes(num_resamples, sum(len(group.shares) for group in groups))
    ]
    changes = {
        name: _change(
            seen[name][:, :, 0],
            np.concatenate([part[name].mean(axis=1) for part in drawn], axis=1),
            centre[name].mean(axis=1)[:, 0],
            confidence,
            most=2.0 if name == "matthews" else 1.0,
        )
        for name in MEASURES
    }
    if not any(group.is_ranked for group in groups):
        worst = changes["worst_class_recall"]
        reason = f"no class has {MINIMUM_TEST_IMAGES} test images, too few to rank"
        changes["worst_class_recall"] = replace(worst, verdict="no evidence", reason=reason)
    return changes


@dataclass(frozen=True)
class _Alike:
    """The images of one class, those taken together to which every model gives the same answer.

    Attributes:
      label: the class.
      answers: int64[models, kinds].
      seen: int64[kinds], images of each kind; of the three last, which smooth, there is none.
      shares: float64[kinds], probability that an image of the class is of the kind.
    """

    label: int
    answers: NDArray[np.int64]
    seen: NDArray[np.int64]
    shares: NDArray[np.float64]

    @classmethod
    def of(cls, label: int, answers: NDArray[np.int64], num_classes: int) -> _Alike:
        """From the answers int[models, images] to one class's images, the strategy's models first."""
        kinds, counts = np.unique(answers, axis=1, return_counts=True)
        # What a model calls an image that it mistakes: the class's most frequent mistake, or else the next class.
        mistakes = np.bincount(answers[answers != label], minlength=num_classes)
        wrong = int(mistakes.argmax()) if mistakes.any() else (label + 1) % num_classes
        of_strategy = np.arange(len(answers)) < len(answers) // 2
        gain, loss = np.where(of_strategy, label, wrong), np.where(of_strategy, wrong, label)
        smoothing = np.stack([np.full(len(answers), label), gain, loss], axis=1)
        weights = np.concatenate([counts, [1.0, 0.5, 0.5]])
        return cls(
            label, np.concatenate([kinds, smoothing], axis=1), np.append(counts, [0, 0, 0]), weights / weights.sum()
        )

    @property
    def num_images(self) -> int:
        """Images of the class."""
        return int(self.seen.sum())

    @property
    def is_ranked(self) -> bool:
        """Whether it may be called the worst."""
        return self.num_images >= MINIMUM_TEST_IMAGES


def _values(
    groups: Sequence[_Alike], counts: Sequence[NDArray[Any]], num_classes: int
) -> dict[str, NDArray[np.float64]]:
    """float64[2, seeds, b], each measure of both sides' models, from images of each kind [b, kinds] in each group."""
    num_models, num_draws = len(groups[0].answers), len(counts[0])
    support = np.zeros(num_classes)
    right, predicted = np.zeros((2, num_models, num_draws, num_classes))
    for group, drawn in zip(groups, counts, strict=True):
        support[group.label] = group.num_images
        for model, answers in enumerate(group.answers):
            order = np.argsort(answers, kind="stable")
            called, starts = np.unique(answers[order], return_index=True)
            predicted[model][:, called] += np.add.reduceat(drawn[:, order], starts, axis=1)
            right[model, :, group.label] = drawn[:, answers == group.label].sum(axis=1)
    found = measure_margins(right, np.broadcast_to(support, right.shape), predicted)
    values = {name: getattr(found, name) for name in MEASURES}
    ranked = [group.label for group in groups if group.is_ranked]
    if ranked:
        values["worst_class_recall"] = found.recall[..., ranked].min(axis=-1)
    return {name: value.reshape(2, -1, num_draws) for name, value in values.items()}


def _change(
    seen: NDArray[np.float64],
    drawn: NDArray[np.float64],
    centre: NDArray[np.float64],
    confidence: float,
    *,
    most: float,
) -> MeasuredChange:
    """One measure's change: float64[2, seeds] as seen, and the means over seeds as drawn [2, b] and as smoothed [2]."""
    num_seeds = seen.shape[1]
    change = float(seen[0].mean() - seen[1].mean())
    draws = drawn[0] - drawn[1]
    if num_seeds == 1:
        quantiles = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2]) - (centre[0] - centre[1])
        low, high = change + min(0.0, float(quantiles[0])), change + max(0.0, float(quantiles[1]))
    else:
        of_seeds = [float(np.var(side, ddof=1)) / num_seeds for side in seen]
        variance = sum(of_seeds) + float(np.var(draws))
        reach = ChangeOverSeeds(change, variance, freedom_over_seeds(variance, of_seeds, num_seeds)).reach(confidence)
        low, high = change - reach, change + reach
    low, high = max(-most, low), min(most, high)
    return MeasuredChange(change, low, high, "helped" if low > 0 else "hurt" if high < 0 else "no evidence")
