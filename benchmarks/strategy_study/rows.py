"""The rows of a table from whatever units have ended: accuracy, worst class, and the gain over the best remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.strategy_study.arms import StudyArm
from benchmarks.strategy_study.paired import paired_over_seeds
from benchmarks.strategy_study.protocol import Protocol
from benchmarks.strategy_study.records import Record, Records
from evenhand.evaluation.comparison import compare_weighted
from evenhand.evaluation.intervals import mean_of_proportions, widen_by_seeds

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Measured:
    """The finished units of an arm.

    Attributes:
      arm: of the study.
      records: by seed, in the order of the seeds; at least one.
      predictions: uint8[n] by seed.
    """

    arm: StudyArm
    records: dict[int, Record]
    predictions: dict[int, NDArray[np.uint8]]

    @property
    def seeds(self) -> tuple[int, ...]:
        """That have ended."""
        return tuple(self.records)

    @property
    def support(self) -> NDArray[np.float64]:
        """float64[c], test images of each class."""
        return np.asarray(next(iter(self.records.values())).support, np.float64)

    @property
    def recalls(self) -> NDArray[np.float64]:
        """float64[seeds, c]."""
        labels, num_classes = next(iter(self.records.values())).labels, len(self.support)
        right = [np.bincount(labels[found == labels], minlength=num_classes) for found in self.predictions.values()]
        return np.array(right) / self.support

    @property
    def per_seed(self) -> NDArray[np.float64]:
        """float64[seeds], accuracy on the test images."""
        accuracies: NDArray[np.float64] = self.recalls @ (self.support / self.support.sum())
        return accuracies

    @property
    def accuracy(self) -> float:
        """Mean over the seeds."""
        return float(self.per_seed.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Over test images and, with several seeds, over seeds: as `evenhand.evaluation.repeats.mean_scores` has it."""
        support = self.support
        right = np.minimum(self.recalls.mean(axis=0), 1.0) * support
        of_images = mean_of_proportions(right, support, CONFIDENCE, weights=support)
        low, high = widen_by_seeds(of_images, self.per_seed.tolist(), CONFIDENCE)
        return max(0.0, low), min(1.0, high)

    @property
    def worst_class_recall(self) -> float:
        """Mean over the seeds of each one's smallest recall."""
        return float(self.recalls.min(axis=1).mean())

    @property
    def worst_class(self) -> int:
        """The class of the smallest mean recall."""
        return int(self.recalls.mean(axis=0).argmin())

    @property
    def timed(self) -> list[Record]:
        """The units of one kind of machine: those that had an accelerator, where any had one."""
        return of_one_kind(list(self.records.values()))

    @property
    def had_accelerator(self) -> bool:
        """Whether the `timed` units had one."""
        return self.timed[0].had_accelerator

    @property
    def processor_minutes(self) -> float:
        """Mean over the `timed` units, of training and prediction, without the generator's and an accelerator's own."""
        return float(np.mean([record.processor_seconds for record in self.timed])) / 60


@dataclass(frozen=True)
class Gain:
    """How much more of the test images an arm recognises than another, on the seeds that both have.

    Attributes:
      change: mean over those seeds.
      seeds: how many.
      paired: ends of the interval with the seeds in pairs; with one seed, over test images alone.
      independent: ends with either side's seeds taken as independent, as `evenhand run` compares repeats.
    """

    change: float
    seeds: int
    paired: tuple[float, float]
    independent: tuple[float, float]


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
      measured: what it stands on.
      gain: over the best remedy; None for that remedy itself, and where no seed is common.
    """

    measured: Measured
    gain: Gain | None


def of_one_kind(records: list[Record]) -> list[Record]:
    """Those of machines with an accelerator, where there are any: elsewhere the same takes many times as long."""
    return [record for record in records if record.had_accelerator] or records


def measured_arms(
    arms: Sequence[StudyArm], seeds: Sequence[int], protocol: Protocol, records: Records
) -> list[Measured]:
    """The arms of which at least one of the seeds has ended under this protocol.

    Raises:
      SystemExit: if units were judged on different test images.
    """
    finished, found = records.read(), []
    for arm in arms:
        plan = arm.plan()
        by_seed = {seed: finished.get(protocol.identity(plan, seed)) for seed in sorted(seeds)}
        ended = {seed: record for seed, record in by_seed.items() if record is not None}
        if ended:
            predictions = {s: records.predictions(one, adjusted=arm.is_adjusted) for s, one in ended.items()}
            found.append(Measured(arm, ended, predictions))
    if len({record.test_digest for one in found for record in one.records.values()}) > 1:
        raise SystemExit(f"{records.folder} holds units of different test images; give another folder by --records")
    return found


def best_remedy(measured: Sequence[Measured]) -> Measured | None:
    """The remedy on real images alone with the highest accuracy, among those with as many seeds as any of them."""
    remedies = [one for one in measured if one.arm.kind == "remedy"]
    most = max((len(one.seeds) for one in remedies), default=0)
    return max((one for one in remedies if len(one.seeds) == most), key=lambda one: one.accuracy, default=None)


def table_rows(measured: Sequence[Measured]) -> list[Row]:
    """A row for each arm, in the given order."""
    best = best_remedy(measured)
    return [Row(one, None if best is None or one is best else gain(one, best)) for one in measured]


def gain(arm: Measured, reference: Measured) -> Gain | None:
    """What an arm gains over another; None where no seed is common."""
    seeds = [seed for seed in arm.seeds if seed in reference.records]
    if not seeds:
        return None
    labels = arm.records[seeds[0]].labels
    ours, theirs = (np.stack([side.predictions[seed] for seed in seeds]) for side in (arm, reference))
    weights = arm.support / arm.support.sum()
    independent = compare_weighted(labels, ours, theirs, weights, confidence=CONFIDENCE)
    assert independent is not None, "there are test images"
    ends = (independent.low, independent.high)
    if len(seeds) == 1:
        return Gain(independent.change, 1, ends, ends)
    members = [np.flatnonzero(labels == label) for label in range(len(weights))]
    blocks = [[(side == labels)[:, rows] for rows in members] for side in (ours, theirs)]
    paired = paired_over_seeds(blocks[0], blocks[1], weights)
    return Gain(paired.change, len(seeds), paired.interval(CONFIDENCE), ends)
