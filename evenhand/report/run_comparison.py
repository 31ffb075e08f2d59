"""Finds what can be compared between runs, what the change is, and in what they differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import UserError
from evenhand.evaluation.comparison import Verdict, compare
from evenhand.report.compared_runs import ComparedRun, Difference, Pairing, RunChange, RunComparison
from evenhand.report.predictions import Predictions, read_predictions
from evenhand.report.result import Result
from evenhand.report.verdict import MINIMUM_SEEDS


def compare_runs(folders: Sequence[Path]) -> RunComparison:
    """Sets runs side by side.

    Args:
      folders: output folders of two runs or more; the first is the reference.

    Raises:
      UserError: if there are fewer, one is named twice, or one holds no result.
    """
    if len(folders) < 2:
        raise UserError("compare", "needs two runs or more", "name the output folders of the runs")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError("compare", "was given one run twice", "name different output folders")
    results = [Result.load(folder) for folder in folders]
    runs = tuple(
        ComparedRun(label, folder, result)
        for label, folder, result in zip(_labels(folders, results), folders, results, strict=True)
    )
    tests = [_test_rows(run) for run in runs]
    pairings = tuple(_pairing(runs[0], tests[0], run, rows) for run, rows in zip(runs, tests, strict=True))
    return RunComparison(
        runs=runs,
        pairings=pairings,
        notes=tuple(_notes(runs, pairings)),
        strategies=tuple(dict.fromkeys(name for run in runs for name in run.result.strategies)),
        class_names=tuple(dict.fromkeys(name for run in runs for name in run.class_names)),
        changes=tuple(
            change
            for run, pairing in zip(runs[1:], pairings[1:], strict=True)
            if pairing != "other data"
            for change in _changes(runs[0], run, is_paired=pairing == "same test images")
        ),
        scores_comparable=_scores_comparable(runs),
        differences=tuple(_differences([run.result.config for run in runs])),
    )


def _labels(folders: Sequence[Path], results: Sequence[Result]) -> list[str]:
    for labels in ([result.name for result in results], [folder.resolve().name for folder in folders]):
        if len(set(labels)) == len(labels):
            return labels
    return [str(folder) for folder in folders]


def _predictions(run: ComparedRun, strategy: str) -> list[Predictions]:
    """Test rows of every seed, ordered by image."""
    return [part.part("test") for part in read_predictions(run.folder / "predictions" / f"{strategy}.parquet")]


def _test_rows(run: ComparedRun) -> tuple[NDArray[np.object_], NDArray[np.int32]] | None:
    """Ids and labels of the run's test images; None where its predictions are gone."""
    if not (run.folder / "predictions" / f"{run.result.selected}.parquet").is_file():
        return None
    first = _predictions(run, run.result.selected)[0]
    return first.ids, first.labels


_ALIKE = ("extractor", "images", "neighbours", "most_neighbour_images", "num_compared")
"""What scores must have in common to be compared; all are biased by the number of images."""

Rows = tuple[NDArray[np.object_], NDArray[np.int32]] | None


def _pairing(first: ComparedRun, first_rows: Rows, run: ComparedRun, rows: Rows) -> Pairing:
    if first.class_names != run.class_names:
        return "other data"
    if first_rows is not None and rows is not None and all(map(np.array_equal, first_rows, rows)):
        return "same test images"
    same = first.result.data.fingerprint == run.result.data.fingerprint
    return "other test images of the same data" if same else "other data"


def _notes(runs: Sequence[ComparedRun], pairings: Sequence[Pairing]) -> Iterator[str]:
    first = runs[0]
    for run, pairing in zip(runs[1:], pairings[1:], strict=True):
        both = f"{run.label} and {first.label}"
        same_data = run.result.data.fingerprint == first.result.data.fingerprint
        if pairing == "same test images":
            yield f"{both} were tested on the same images, so that they are compared image by image."
            if not same_data:
                yield f"The data of {both} have different fingerprints; test images of one id are taken to be the same."
            seeds = [run.result.num_seeds, first.result.num_seeds]
            if seeds[0] != seeds[1]:
                yield f"{both} have {seeds[0]} and {seeds[1]} seeds; the first {min(seeds)} of either are compared."
        elif pairing == "other test images of the same data":
            yield (
                f"{both} come from the same data but were tested on different images, or their predictions are gone: "
                "their difference is not paired, so that its interval is wider."
            )
        else:
            other = "different classes" if run.class_names != first.class_names else "different data and test images"
            yield (
                f"{both} have {other}: their numbers stand side by side, but no difference between them means anything."
            )
        if pairing != "other data" and min(run.result.num_seeds, first.result.num_seeds) < MINIMUM_SEEDS:
            yield (
                f"{both} have fewer than {MINIMUM_SEEDS} seeds each: their differences speak of these models, not of "
                "what the runs do otherwise than each other."
            )
        if run.result.confidence != first.result.confidence:
            yield f"{both} have intervals of different levels; differences use that of {first.label}."


def _changes(first: ComparedRun, run: ComparedRun, *, is_paired: bool) -> Iterator[RunChange]:
    pairs = [(run.result.selected, first.result.selected)]
    pairs += [(name, name) for name in run.result.strategies if name in first.result.strategies]
    for strategy, reference in dict.fromkeys(pairs):
        yield _paired(first, reference, run, strategy) if is_paired else _unpaired(first, reference, run, strategy)


def _paired(first: ComparedRun, reference: str, run: ComparedRun, strategy: str) -> RunChange:
    ours, theirs = _predictions(run, strategy), _predictions(first, reference)
    # As many seeds of either: the interval crosses seeds with images.
    count = min(len(ours), len(theirs))
    change = compare(
        theirs[0].labels,
        _classes(ours[:count]),
        _classes(theirs[:count]),
        first.class_names,
        confidence=first.result.confidence,
    )
    return RunChange(
        run.label,
        strategy,
        first.label,
        reference,
        True,
        change.balanced_accuracy_change,
        change.low,
        change.high,
        change.verdict,
        tuple(entry.to_dict() for entry in change.per_class),
    )


def _classes(parts: Sequence[Predictions]) -> NDArray[np.int64]:
    """int64[seeds, n], predicted classes."""
    return np.stack([part.probabilities.argmax(axis=1) for part in parts])


def _unpaired(first: ComparedRun, reference: str, run: ComparedRun, strategy: str) -> RunChange:
    """The difference of two measures with their own intervals, added in quadrature (MOVER, Zou and Donner 2008)."""
    a, b = run.result.strategies[strategy].test, first.result.strategies[reference].test
    change = a.balanced_accuracy - b.balanced_accuracy
    below = math.hypot(a.balanced_accuracy - a.balanced_accuracy_low, b.balanced_accuracy_high - b.balanced_accuracy)
    above = math.hypot(a.balanced_accuracy_high - a.balanced_accuracy, b.balanced_accuracy - b.balanced_accuracy_low)
    low, high = max(-1.0, change - below), min(1.0, change + above)
    verdict: Verdict = "helped" if low > 0 else "hurt" if high < 0 else "no evidence"
    return RunChange(run.label, strategy, first.label, reference, False, change, low, high, verdict, ())


def _scores_comparable(runs: Sequence[ComparedRun]) -> bool:
    parts = [run.result.generator for run in runs]
    given = {tuple(part.scores.get(key) for key in _ALIKE) for part in parts if part is not None and part.scores}
    fingerprints = {run.result.data.fingerprint for run in runs if run.result.generator is not None}
    return len(given) == 1 and len(fingerprints) == 1


def _differences(configs: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    flat = [dict(_flat(config, "")) for config in configs]
    for key in dict.fromkeys(key for entry in flat for key in entry):
        values = tuple(entry.get(key) for entry in flat)
        if any(value != values[0] for value in values[1:]):
            yield Difference(key, values)


def _flat(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
