"""What the report shows, arranged for reading: the same rows for HTML, Markdown and the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from evenhand.report.comparison_part import ClassComparison, ComparisonPart
from evenhand.report.result import Result, StrategyResult
from evenhand.report.scores_part import ClassResult
from evenhand.report.verdict import Judgement, judge

SYMBOLS = {
    "helped": "\N{BLACK UP-POINTING TRIANGLE}",
    "hurt": "\N{BLACK DOWN-POINTING TRIANGLE}",
    "no evidence": "\N{MIDDLE DOT}",
}
"""A verdict's mark, so that colour never speaks alone."""


@dataclass(frozen=True)
class ClassRow:
    """One class: its images, how often it is recognised, and what synthetic images change.

    Attributes:
      name: name of the class.
      train: real training images.
      synthetic: synthetic images.
      test: test images.
      recalls: scores of the class by strategy.
      change: against the deciding reference; None if no strategy uses synthetic images.
    """

    name: str
    train: int
    synthetic: int
    test: int
    recalls: dict[str, ClassResult]
    change: ClassComparison | None


@dataclass(frozen=True)
class StrategyRow:
    """One strategy.

    Attributes:
      name: its name.
      result: its scores.
      is_selected: whether its model is pushed.
      versus_baseline: its comparison with the baseline; None for the baseline itself.
      versus_matched: with the same training on real images alone; None for a strategy on real images.
      versus_remedy: with the best remedy without synthetic images; None for a strategy on real images.
    """

    name: str
    result: StrategyResult
    is_selected: bool
    versus_baseline: ComparisonPart | None
    versus_matched: ComparisonPart | None
    versus_remedy: ComparisonPart | None

    @property
    def kind(self) -> str:
        """What images it trains on, in words."""
        is_twin = self.result.added and not self.result.uses_synthetic
        return f"{trained_on(self.result)}, added for comparison" if is_twin else trained_on(self.result)


@dataclass(frozen=True)
class View:
    """Everything that a report arranges.

    Attributes:
      judgement: what the verdict is about; None if no strategy uses synthetic images.
      classes: one row per class, those with most training images first.
      strategies: one row per strategy, in the order of the result.
      class_verdicts: the classes by verdict, in the order of `classes`; empty without synthetic images.
    """

    judgement: Judgement | None
    classes: tuple[ClassRow, ...]
    strategies: tuple[StrategyRow, ...]
    class_verdicts: dict[str, tuple[ClassRow, ...]]

    @property
    def summary(self) -> str:
        """How many classes were helped, hurt, or show no evidence, in words; empty without synthetic images."""
        if self.judgement is None:
            return ""
        return ", ".join(f"{len(rows)} {verdict}" for verdict, rows in self.class_verdicts.items())


def arrange(result: Result) -> View:
    """Arranges a result for reading.

    Args:
      result: the result of a run.
    """
    judgement = judge(result)
    changes = {change.class_: change for change in judgement.main.per_class} if judgement else {}
    rows = [
        ClassRow(
            name=counts.name,
            train=counts.train,
            synthetic=counts.synthetic,
            test=counts.test,
            recalls={name: strategy.test.per_class[k] for name, strategy in result.strategies.items()},
            change=changes.get(counts.name),
        )
        for k, counts in enumerate(result.data.classes)
    ]
    rows.sort(key=lambda row: -row.train)
    against = {(c.strategy, c.versus): c for c in result.comparison}
    return View(
        judgement=judgement,
        classes=tuple(rows),
        strategies=tuple(
            StrategyRow(
                name,
                strategy,
                name == result.selected,
                versus_baseline=against.get((name, "baseline")),
                versus_matched=against.get((name, "matched")),
                versus_remedy=against.get((name, "best_remedy")),
            )
            for name, strategy in result.strategies.items()
        ),
        class_verdicts={
            verdict: tuple(row for row in rows if row.change is not None and row.change.verdict == verdict)
            for verdict in SYMBOLS
        },
    )


def trained_on(strategy: StrategyResult) -> str:
    """What images a strategy trains on, in words."""
    if not strategy.uses_synthetic:
        return "real images"
    sees_real = any(phase.get("on") != "synthetic" for phase in strategy.phases)
    # What scikit-learn fits may log no phase of its own.
    return "real and synthetic images" if sees_real or not strategy.phases else "synthetic images alone"


def word(comparison: ComparisonPart) -> str:
    """Its verdict in a word: only the same training without synthetic images tells whether these helped."""
    if comparison.versus == "matched":
        return comparison.verdict
    return {"helped": "better", "hurt": "worse", "no evidence": "no evidence"}[comparison.verdict]


def role(comparison: ComparisonPart) -> str:
    """What a comparison's reference is, in words."""
    return {
        "matched": "the same training, real images alone",
        "best_remedy": "the best remedy without synthetic images",
        "baseline": "plain training",
    }[comparison.versus]
