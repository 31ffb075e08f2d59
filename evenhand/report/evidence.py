"""What stands beneath the verdict: which classes are confused, whether probabilities can be believed, every measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evenhand.evaluation.comparison import MINIMUM_TEST_IMAGES
from evenhand.report.comparison_part import ComparisonPart
from evenhand.report.measures import ReliabilityPoint
from evenhand.report.part import Part
from evenhand.report.result import Result, SplitResult, StrategyResult
from evenhand.report.view import ClassRow, View

MOST_MATRIX_CLASSES = 20
"""More classes than these are told as a list of confusions: a matrix of them can be neither read nor stored."""

_MOST_CONFUSIONS = 40

MEASURES = {
    "balanced_accuracy": "balanced accuracy",
    "worst_class_recall": "worst class",
    "geometric_mean": "geometric mean",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "accuracy": "accuracy",
    "matthews": "Matthews",
}
"""Measures of a split that are shown with their intervals, by their names in the result."""

CLASS_MEASURES = {
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "specificity": "specificity",
    "average_precision": "average precision",
}
"""Measures of a class likewise."""

UNCERTAINTY = {
    "least_confidence": "least confidence",
    "margin_of_confidence": "margin",
    "ratio_of_confidence": "ratio",
    "entropy": "entropy",
}
"""Measures of how unsure a classifier is, which have no intervals."""

SCORES = {
    "fid": "FID-style",
    "kid": "kernel distance",
    "inception_score": "inception score",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}
"""Measures of synthetic images likewise."""


@dataclass(frozen=True)
class Measured:
    """A measure and its interval, whose ends are None where it has none."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Changed:
    """The change of a measure, its interval and what follows, or the reason why nothing does."""

    change: float
    low: float
    high: float
    verdict: str
    reason: str | None = None


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix as shares of each class's test images.

    Attributes:
      title: whose, or of what the difference.
      rows: by true class, in the order of the classes shown; None in a row without test images.
      is_difference: whether shares are differences, in [-1, 1].
    """

    title: str
    rows: tuple[tuple[float | None, ...], ...]
    is_difference: bool = False


@dataclass(frozen=True)
class Confusion:
    """Images of one class that are taken for another.

    Attributes:
      true: the class that they are of.
      predicted: the class that they are taken for.
      support: test images of the class.
      shares: of them so mistaken, by strategy.
    """

    true: str
    predicted: str
    support: int
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Confusions:
    """Which classes are taken for which.

    Attributes:
      class_names: of rows and columns, those with most training images first.
      matrices: of each strategy shown, then their difference; empty where there are too many classes.
      largest: the most frequent mistakes of classes with enough test images to rank; empty where there are matrices.
    """

    class_names: tuple[str, ...]
    matrices: tuple[Matrix, ...]
    largest: tuple[Confusion, ...]


def shown_strategies(result: Result, view: View) -> dict[str, StrategyResult]:
    """The strategies that details are shown of: what the verdict is about and its references, else the selected one."""
    judgement = view.judgement
    if judgement is None:
        names = ["baseline", result.selected]
    else:
        names = [c.versus_name for c in (judgement.main, *judgement.others)] + [judgement.strategy]
    return {name: result.strategies[name] for name in dict.fromkeys(names)}


def confusions(result: Result, view: View) -> Confusions | None:
    """Confusions of the deciding comparison's two sides, and their difference; None where none were counted."""
    judgement = view.judgement
    names = [judgement.main.versus_name, judgement.strategy] if judgement else [result.selected]
    if not all(result.strategies[name].confusion for name in names):
        return None
    labels = {counts.name: label for label, counts in enumerate(result.data.classes)}
    order = tuple(row.name for row in view.classes)
    shares = {name: _shares(result, name) for name in names}
    if len(order) > MOST_MATRIX_CLASSES:
        return Confusions(order, (), _largest(result, shares))
    supports = {row.name: row.test for row in view.classes}

    def rows(cell: Mapping[tuple[int, int], float]) -> tuple[tuple[float | None, ...], ...]:
        return tuple(
            tuple(cell.get((labels[true], labels[other]), 0.0) if supports[true] else None for other in order)
            for true in order
        )

    matrices = [Matrix(name, rows(shares[name])) for name in names]
    if len(names) == 2:
        without, with_ = (shares[name] for name in names)
        change = {key: with_.get(key, 0.0) - without.get(key, 0.0) for key in {*without, *with_}}
        matrices.append(Matrix("difference", rows(change), is_difference=True))
    return Confusions(order, tuple(matrices), ())


def _shares(result: Result, name: str) -> dict[tuple[int, int], float]:
    supports = [counts.test for counts in result.data.classes]
    return {(true, other): images / supports[true] for true, other, images in result.strategies[name].confusion}


def _largest(result: Result, shares: Mapping[str, Mapping[tuple[int, int], float]]) -> tuple[Confusion, ...]:
    classes = result.data.classes
    ranked = {label for label, counts in enumerate(classes) if counts.test >= MINIMUM_TEST_IMAGES}
    mistakes = {key for cells in shares.values() for key in cells if key[0] != key[1] and key[0] in ranked}
    worst = sorted(mistakes, key=lambda key: (-max(cells.get(key, 0.0) for cells in shares.values()), key))
    return tuple(
        Confusion(
            classes[true].name,
            classes[other].name,
            classes[true].test,
            {name: cells.get((true, other), 0.0) for name, cells in shares.items()},
        )
        for true, other in worst[:_MOST_CONFUSIONS]
    )


@dataclass(frozen=True)
class ReliabilityCurve:
    """SVG paths in a square, confidence to the right and accuracy upwards: a line and the dots that it joins."""

    line: str
    dots: str


def reliability_curve(points: Sequence[ReliabilityPoint], size: float) -> ReliabilityCurve:
    """Draws a reliability curve in a square of `size` px."""
    places = [f"{point.confidence * size:.1f} {(1 - point.accuracy) * size:.1f}" for point in points]
    return ReliabilityCurve("M" + "L".join(places) if places else "", "".join(f"M{place}h0" for place in places))


def measured(part: Part, name: str) -> Measured:
    """A measure of a split or a class, with its interval."""
    return Measured(*(getattr(part, name + end, None) for end in ("", "_low", "_high")))


def split_measures(split: SplitResult) -> dict[str, Measured]:
    """Each of `MEASURES` by its title."""
    return {title: measured(split, name) for name, title in MEASURES.items()}


def measure_changes(main: ComparisonPart) -> dict[str, Changed]:
    """The change of each of `MEASURES`, by its title; empty in a result from before they were told."""
    changes = {"balanced_accuracy": Changed(main.balanced_accuracy_change, main.low, main.high, main.verdict)}
    changes |= {
        part.measure: Changed(part.change, part.low, part.high, part.verdict, part.reason) for part in main.measures
    }
    return {title: changes[name] for name, title in MEASURES.items()} if main.measures else {}


def class_measures(strategy: StrategyResult, view: View, name: str) -> list[tuple[ClassRow, dict[str, Measured]]]:
    """Everything measured of each class by its title, in the order of the view.

    Args:
      strategy: whose.
      view: for the order of the classes.
      name: of the strategy.
    """
    errors, unsure = strategy.calibration, strategy.uncertainty
    error_of = {} if errors is None else {entry.class_: entry.error for entry in errors.per_class}
    unsure_of = {} if unsure is None else {entry.class_: entry for entry in unsure.per_class}
    rows = []
    for row in view.classes:
        measures = {title: measured(row.recalls[name], key) for key, title in CLASS_MEASURES.items()}
        if errors is not None:
            measures["calibration error"] = Measured(error_of.get(row.name), None, None)
        if unsure is not None:
            for key, title in UNCERTAINTY.items():
                measures[title] = Measured(getattr(unsure_of.get(row.name), key, None), None, None)
        rows.append((row, measures))
    return rows
