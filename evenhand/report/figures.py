"""Positions on charts: bars as percentages of a track, curves as SVG paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_COLOURS = 8
_DASHES: tuple[tuple[int, int] | None, ...] = (None, (5, 2), (2, 2))
"""Pixels drawn and left out."""

_NICE_REACHES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True)
class Track:
    """A horizontal axis from `start` to `stop` on which shares are placed.

    Attributes:
      start: value at the left end.
      stop: value at the right end.
    """

    start: float
    stop: float

    def at(self, value: float) -> float:
        """Position of a value in per cent of the width, cut off at the ends."""
        return round(100 * min(1.0, max(0.0, (value - self.start) / (self.stop - self.start))), 2)

    def bar(self, low: float, high: float) -> str:
        """CSS that places a bar from `low` to `high`."""
        left = self.at(low)
        return f"left:{left}%;width:{round(self.at(high) - left, 2)}%"


def around_zero(values: Sequence[float | None]) -> Track:
    """A symmetric axis with a round end that holds every value."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    reach = next((nice for nice in _NICE_REACHES if nice >= largest), 1.0)
    return Track(-reach, reach)


def of_shares(lows: Sequence[float]) -> Track:
    """An axis up to 1 that starts at a round tenth below every value."""
    lowest = min(lows, default=0.0)
    return Track(min(0.9, max(0.0, math.floor(10 * lowest - 1e-9) / 10)), 1.0)


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes:
      name: what the line shows.
      path: SVG path.
      last: the last value.
    """

    name: str
    path: str
    last: float


@dataclass(frozen=True)
class Chart:
    """Lines over training steps.

    Attributes:
      title: the measure.
      curves: its lines.
      bottom: value at the lower edge.
      top: value at the upper edge.
      steps: step at the right edge.
    """

    title: str
    curves: tuple[Curve, ...]
    bottom: float
    top: float
    steps: float


def learning_curves(
    histories: Mapping[str, Sequence[Mapping[str, float]]], *, width: float, height: float
) -> list[Chart]:
    """One chart per logged measure, one line per strategy.

    Args:
      histories: rows by strategy, each with its `step`.
      width: of the drawing area, in px.
      height: of the drawing area, in px.
    """
    measures = sorted({key for rows in histories.values() for row in rows for key in row} - {"step", "phase"})
    charts = []
    for measure in measures:
        lines = {
            name: [(row["step"], row[measure]) for row in rows if measure in row and "step" in row]
            for name, rows in histories.items()
        }
        lines = {name: line for name, line in lines.items() if len(line) > 1}
        if lines:
            charts.append(_chart(measure, lines, width, height))
    # The loss and what is measured on validation first; learning rates and the like are for TensorBoard.
    charts.sort(key=lambda chart: (chart.title != "loss", "loss" not in chart.title, chart.title))
    return [chart for chart in charts if "rate" not in chart.title]


def generator_curves(history: Sequence[Mapping[str, float]], *, width: float, height: float) -> list[Chart]:
    """The losses of a generator's networks in one chart, their accuracies in another.

    Args:
      history: rows, each with its `step`, and values such as `generator_loss` and `real_accuracy`.
      width: of the drawing area, in px.
      height: of the drawing area, in px.
    """
    lines: dict[str, list[dict[str, float]]] = {}
    for row in history:
        for name, value in row.items():
            of, _, kind = name.rpartition("_")
            if of and kind in ("loss", "accuracy"):
                lines.setdefault(f"{of} {kind}".replace("_", " "), []).append({"step": row["step"], kind: value})
    return learning_curves(lines, width=width, height=height)


def stroke(number: int) -> str:
    """CSS of the line of strategy or network `number`: of those that share a colour, each has dashes of its own."""
    dashes = _DASHES[number // _COLOURS % len(_DASHES)]
    return f"stroke:var(--c{number % _COLOURS})" + (f";stroke-dasharray:{dashes[0]} {dashes[1]}" if dashes else "")


def swatch(number: int) -> str:
    """CSS of a small rectangle that looks like that line."""
    colour, dashes = f"var(--c{number % _COLOURS})", _DASHES[number // _COLOURS % len(_DASHES)]
    if dashes is None:
        return f"background:{colour}"
    on, period = dashes[0], sum(dashes)
    return f"background:repeating-linear-gradient(90deg,{colour} 0 {on}px,transparent {on}px {period}px)"


def _chart(measure: str, lines: Mapping[str, Sequence[tuple[float, float]]], width: float, height: float) -> Chart:
    values = [value for line in lines.values() for _, value in line]
    steps = max(step for line in lines.values() for step, _ in line) or 1.0
    bottom, top = min(0.0, *values), max(values)
    top = top if top > bottom else bottom + 1.0
    curves = []
    for name, line in lines.items():
        places = [
            f"{step / steps * width:.1f} {height - (value - bottom) / (top - bottom) * height:.1f}"
            for step, value in line
        ]
        curves.append(Curve(name, "M" + "L".join(places), line[-1][1]))
    return Chart(measure.replace("val_", "validation ").replace("_", " "), tuple(curves), bottom, top, steps)
