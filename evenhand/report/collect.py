"""Turns the evidence of a run (predictions, counts, training histories) into its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from evenhand.evaluation.comparison import compare
from evenhand.evaluation.convergence import convergence
from evenhand.evaluation.per_class import Scores, evaluate
from evenhand.evaluation.repeats import mean_scores
from evenhand.report.audit_part import AuditPart
from evenhand.report.comparison_part import ComparisonPart
from evenhand.report.filters_part import FiltersPart
from evenhand.report.missing_classes import missing_classes
from evenhand.report.predictions import Predictions
from evenhand.report.result import GeneratorPart, Result
from evenhand.report.strategy_measures import comparison_measures, predicted_classes, strategy_measures
from evenhand.report.verdict import verdict

BASELINE = "baseline"

_MOST_HISTORY_ROWS = 200


@dataclass(frozen=True)
class StrategyEvidence:
    """What is known of one strategy.

    Attributes:
      predictions: one entry per seed, each over the validation and test images.
      phases: the phases it was trained in, as JSON objects.
      steps: gradient steps used in all.
      uses_synthetic: whether any phase trained on synthetic images.
      matched: name of the strategy that does the same on real images alone; for strategies that use synthetic images.
      shuffled: name of the strategy that is the same training with shuffled labels on the synthetic images.
      added: whether it was added as a matched arm, or is a control; neither is a remedy that a user asked for.
      blessed: whether the Evaluator blessed it on validation; None if it has no threshold.
      history: logged values of the first seed, each row with its `step`, counted over all phases.
      core_hours: processor time of the first seed's training, with its generator's; None where it is not known.
    """

    predictions: Sequence[Predictions]
    phases: Sequence[Mapping[str, Any]]
    steps: int
    uses_synthetic: bool
    matched: str | None = None
    shuffled: str | None = None
    added: bool = False
    blessed: bool | None = None
    history: Sequence[Mapping[str, float]] = ()
    core_hours: float | None = None


@dataclass(frozen=True)
class Evidence:
    """What a run has found out.

    Attributes:
      data: the summary of the data: `class_names`, `counts` {split: int[c]}, `source`, `fingerprint`, `skipped`
        (id, reason), `duplicates`, and with key points `without_hand`.
      synthetic_counts: int[c], synthetic images of each class that strategies learn from.
      strategies: evidence by name, among them `baseline`, in the order in which they are shown.
      selected: the strategy whose model is pushed.
      generator: its `name` and optionally `scores`; None if no strategy uses synthetic images.
      audit: whether its images are copies; None likewise.
      filters: what filters left of them; None without any.
      confidence: level of every interval and verdict, in (0, 1).
      seed: of the bootstrap's draws.
      batch_size: images of a gradient step, by which steps are told as epochs; None where it is not known.
    """

    data: Mapping[str, Any]
    synthetic_counts: Sequence[int]
    strategies: Mapping[str, StrategyEvidence]
    selected: str
    generator: Mapping[str, Any] | None = None
    audit: AuditPart | None = None
    filters: FiltersPart | None = None
    confidence: float = 0.95
    seed: int = 0
    batch_size: int | None = None
    class_names: tuple[str, ...] = field(init=False)

    @property
    def train_counts(self) -> list[int]:
        """Real training images of each class."""
        return [int(count) for count in self.data["counts"]["train"]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", tuple(self.data["class_names"]))
        controls = [name for s in self.strategies.values() for name in (s.matched, s.shuffled) if name]
        for name in (BASELINE, self.selected, *controls):
            if name not in self.strategies:
                raise ValueError(f"strategy {name!r} is referred to, but there is no evidence of it")


def build_result(evidence: Evidence) -> Result:
    """Computes every number of the result; the test split is read here and nowhere else.

    Args:
      evidence: what the run has found out.

    Returns:
      The result, without the run's name, config, versions and times, which the runner adds by `Result.completed`.

    Raises:
      ValueError: if the strategies were not tested on the same images with equally many seeds.
    """
    tests = _tests(evidence)
    strategies = {name: _strategy(evidence, name, tests[name]) for name in evidence.strategies}
    comparison = [entry for name in evidence.strategies for entry in _comparisons(evidence, name, strategies, tests)]
    parts = {
        "strategies": strategies,
        "comparison": [entry for entry in comparison if entry.versus != "shuffled"],
        "label_controls": [entry for entry in comparison if entry.versus == "shuffled"],
        "selected": evidence.selected,
        "confidence": evidence.confidence,
    }
    draft = {
        "name": "run",
        "config": {},
        "versions": {},
        "seconds": {},
        "data": _data(evidence),
        "generator": _generator(evidence),
        "audit": evidence.audit,
        "filters": evidence.filters,
        "verdict": "",
        **parts,
    }
    result = Result.model_validate(draft)
    return result.model_copy(update={"verdict": verdict(result)})


def _generator(evidence: Evidence) -> GeneratorPart | None:
    known = evidence.generator
    if known is None:
        return None
    missing = missing_classes(
        evidence.class_names,
        evidence.train_counts,
        evidence.synthetic_counts,
        {name: one.phases for name, one in evidence.strategies.items() if one.matched is not None},
    )
    findings = (*known.get("findings", ()), *missing)
    return GeneratorPart(**{**known, "findings": findings, "history": tuple(_thinned(known.get("history", ())))})


def _data(evidence: Evidence) -> dict[str, Any]:
    data, counts = evidence.data, evidence.data["counts"]
    return {
        "source": data["source"],
        "fingerprint": data["fingerprint"],
        "skipped": [tuple(entry) for entry in data["skipped"]],
        "duplicates": data["duplicates"],
        "without_hand": data.get("without_hand"),
        "classes": [
            {
                "name": name,
                **{split: int(counts[split][k]) if split in counts else 0 for split in ("train", "validation", "test")},
                "synthetic": int(evidence.synthetic_counts[k]),
            }
            for k, name in enumerate(evidence.class_names)
        ],
    }


def _tests(evidence: Evidence) -> dict[str, list[Predictions]]:
    """Test rows of every strategy and seed, checked to be of the same images."""
    tests = {name: [p.part("test") for p in s.predictions] for name, s in evidence.strategies.items()}
    first = tests[BASELINE]
    if not first or len(first[0]) == 0:
        raise ValueError("there are no predictions of test images")
    for name, parts in tests.items():
        if [part.seed for part in parts] != [part.seed for part in first]:
            raise ValueError(f"{name} was trained with other seeds than {BASELINE}")
        for part in parts:
            same = np.array_equal(part.ids, first[0].ids) and np.array_equal(part.labels, first[0].labels)
            if not same:
                raise ValueError(f"{name}, seed {part.seed}, was tested on other images than {BASELINE}")
    return tests


def _scores(evidence: Evidence, part: Predictions) -> Scores | None:
    if len(part) == 0:
        return None
    return evaluate(part.labels, part.probabilities, evidence.class_names, evidence.confidence, evidence.seed)


def _mean(scores: Sequence[Scores | None], confidence: float) -> dict[str, Any] | None:
    present = [score for score in scores if score is not None]
    return mean_scores(present, confidence).to_dict() if present else None


def _strategy(evidence: Evidence, name: str, tests: Sequence[Predictions]) -> dict[str, Any]:
    strategy = evidence.strategies[name]
    test = [_scores(evidence, part) for part in tests]
    validations = [p.part("validation") for p in strategy.predictions]
    validation = [_scores(evidence, part) for part in validations]
    repeats = [
        {"seed": part.seed, "test": t.to_dict() if t else None, "validation": v.to_dict() if v else None}
        for part, t, v in zip(tests, test, validation, strict=True)
    ]
    return {
        "test": _mean(test, evidence.confidence),
        "validation": _mean(validation, evidence.confidence),
        "steps": strategy.steps,
        "core_hours": strategy.core_hours,
        "blessed": strategy.blessed,
        "phases": [dict(phase) for phase in strategy.phases],
        "repeats": repeats,
        "uses_synthetic": strategy.uses_synthetic,
        "matched": strategy.matched,
        "added": strategy.added,
        "history": _thinned(strategy.history),
        "convergence": _convergence(evidence, name),
        **strategy_measures(tests, validations, evidence.train_counts, evidence.class_names, evidence.confidence),
    }


def _convergence(evidence: Evidence, name: str) -> dict[str, Any]:
    images = sum(evidence.train_counts)
    return convergence(
        evidence.strategies[name].history,
        evidence.strategies[BASELINE].history,
        epochs_per_step=evidence.batch_size / images if evidence.batch_size and images else None,
    ).to_dict()


def _thinned(history: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Rows spread evenly over the history, so that the result stays small; only finite numbers."""
    if not history:
        return []
    kept = np.unique(np.linspace(0, len(history) - 1, _MOST_HISTORY_ROWS).astype(int))
    return [{key: float(value) for key, value in history[i].items() if np.isfinite(value)} for i in kept]


def best_remedy(strategies: Mapping[str, Mapping[str, Any]]) -> tuple[str, Literal["validation", "test"]] | None:
    """The best strategy on real images besides the baseline, by balanced accuracy on validation.

    Without a validation split it is chosen on test, which can only favour the remedy.

    Args:
      strategies: result objects by name.

    Returns:
      Its name and the split it was chosen on; None if there is no remedy.
    """
    remedies = {
        name: s for name, s in strategies.items() if name != BASELINE and not s["uses_synthetic"] and not s["added"]
    }
    if not remedies:
        return None
    split: Literal["validation", "test"] = "validation" if all(s["validation"] for s in remedies.values()) else "test"
    return max(remedies, key=lambda name: float(remedies[name][split]["balanced_accuracy"])), split


def _comparisons(
    evidence: Evidence,
    name: str,
    strategies: Mapping[str, Mapping[str, Any]],
    tests: Mapping[str, Sequence[Predictions]],
) -> list[ComparisonPart]:
    """A strategy against the references that say something about it."""
    strategy = evidence.strategies[name]
    references: list[tuple[str, str, str | None]] = []
    if strategy.uses_synthetic and strategy.matched is not None:
        references.append(("matched", strategy.matched, None))
    if name != BASELINE:
        references.append(("baseline", BASELINE, None))
    remedy = best_remedy(strategies)
    if strategy.uses_synthetic and remedy is not None:
        references.append(("best_remedy", *remedy))
    if strategy.shuffled is not None:
        references.append(("shuffled", strategy.shuffled, None))
    entries = []
    for versus, versus_name, chosen_on in references:
        change = compare(
            tests[name][0].labels,
            predicted_classes(tests[name]),
            predicted_classes(tests[versus_name]),
            evidence.class_names,
            confidence=evidence.confidence,
            seed=evidence.seed,
        )
        head = {"strategy": name, "versus": versus, "versus_name": versus_name, "chosen_on": chosen_on}
        weighted = comparison_measures(
            tests[name], tests[versus_name], evidence.train_counts, evidence.confidence, evidence.seed
        )
        entries.append(ComparisonPart.model_validate({**head, **change.to_dict(), **weighted}))
    return entries
