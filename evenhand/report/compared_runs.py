"""Several runs side by side, arranged for showing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from evenhand.evaluation.comparison import Verdict
from evenhand.report.result import Result, StrategyResult
from evenhand.report.scores_part import ClassResult

Pairing = Literal["same test images", "other test images of the same data", "other data"]


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs.

    Attributes:
      label: short and unique among the runs: its name, or its folder where names repeat.
      folder: its output folder.
      result: its result.
    """

    label: str
    folder: Path
    result: Result

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in the order of the labels."""
        return [counts.name for counts in self.result.data.classes]


@dataclass(frozen=True)
class RunChange:
    """What one run reaches with a strategy, minus what the first run reaches.

    Attributes:
      run: label of the run.
      strategy: its strategy.
      reference: label of the first run.
      reference_strategy: that run's strategy.
      is_paired: whether both were tested on the same images, image by image.
      change: of the balanced accuracy on the test images, in [-1, 1].
      low: lower end of its interval.
      high: upper end of its interval.
      verdict: `helped` where the interval is above zero, `hurt` where it is below, else `no evidence`.
      per_class: with pairs, change, interval, p-value and verdict of each class, as in result.json; else empty.
    """

    run: str
    strategy: str
    reference: str
    reference_strategy: str
    is_paired: bool
    change: float
    low: float
    high: float
    verdict: Verdict
    per_class: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Difference:
    """A key of the configuration in which runs differ.

    Attributes:
      key: its dotted path.
      values: one per run; None where a run has no such key.
    """

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class RunComparison:
    """Runs side by side, the first of which is the reference.

    Attributes:
      runs: in the order given.
      pairings: how each run's test images relate to those of the first; one per run, the first with itself.
      notes: what must be known before numbers are compared, in sentences.
      strategies: names of all strategies, in order of appearance.
      class_names: names of all classes, in order of appearance.
      changes: of each run against the first, where that can be said: the selected strategies, then those of one name.
      scores_comparable: whether the generators' scores were measured on the same features of the same data.
      differences: in the configurations.
    """

    runs: tuple[ComparedRun, ...]
    pairings: tuple[Pairing, ...]
    notes: tuple[str, ...]
    strategies: tuple[str, ...]
    class_names: tuple[str, ...]
    changes: tuple[RunChange, ...]
    scores_comparable: bool
    differences: tuple[Difference, ...]

    def strategy(self, run: ComparedRun, name: str) -> StrategyResult | None:
        """What a run reached with a strategy; None if it did not try it."""
        return run.result.strategies.get(name)

    def of_class(self, run: ComparedRun, name: str) -> ClassResult | None:
        """What a run's selected strategy does with a class; None if the run does not know it."""
        scores = run.result.strategies[run.result.selected].test.per_class
        return next((entry for entry in scores if entry.class_ == name), None)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON."""
        return {
            "runs": [
                {
                    "label": run.label,
                    "folder": str(run.folder),
                    "name": run.result.name,
                    "selected": run.result.selected,
                    "verdict": run.result.verdict,
                    "confidence": run.result.confidence,
                    "fingerprint": run.result.data.fingerprint,
                    "test_images": pairing,
                    "generator": None if run.result.generator is None else run.result.generator.model_dump(mode="json"),
                    "strategies": {
                        name: _summary(strategy, run.result) for name, strategy in run.result.strategies.items()
                    },
                    "classes": [
                        {"class": c.class_, "support": c.support, "recall": c.recall, "recall_low": c.recall_low,
                         "recall_high": c.recall_high}
                        for c in run.result.strategies[run.result.selected].test.per_class
                    ],
                }
                for run, pairing in zip(self.runs, self.pairings, strict=True)
            ],
            "notes": list(self.notes),
            "changes": [asdict(change) for change in self.changes],
            "scores_comparable": self.scores_comparable,
            "differences": [{"key": d.key, "values": list(d.values)} for d in self.differences],
        }  # fmt: skip


def _summary(strategy: StrategyResult, result: Result) -> dict[str, Any]:
    test = strategy.test
    name = next(key for key, value in result.strategies.items() if value is strategy)
    return {
        "balanced_accuracy": test.balanced_accuracy,
        "balanced_accuracy_low": test.balanced_accuracy_low,
        "balanced_accuracy_high": test.balanced_accuracy_high,
        "worst_class_recall": test.worst_class_recall,
        "macro_f1": test.macro_f1,
        "accuracy": test.accuracy,
        "verdicts": {c.versus: c.verdict for c in result.comparison if c.strategy == name},
    }
