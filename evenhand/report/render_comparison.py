"""Draws runs side by side: in the terminal, as a self-contained web page, and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evenhand.report import figures
from evenhand.report.citations import SCORES
from evenhand.report.compared_runs import ComparedRun, RunChange, RunComparison
from evenhand.report.markdown import cell
from evenhand.report.render import template_environment
from evenhand.report.verdict import headline, percent, points
from evenhand.report.view import SYMBOLS

_WORDS = {"helped": "better", "hurt": "worse", "no evidence": "no evidence"}
_STYLES = {"helped": "green", "hurt": "red", "no evidence": "dim"}


def render_comparison_html(compared: RunComparison) -> str:
    """Draws one page that loads nothing; every name from the data is escaped."""
    lows = [s.test.balanced_accuracy_low for run in compared.runs for s in run.result.strategies.values()]
    ends = [end for change in compared.changes for end in (change.low, change.high)]
    return (
        template_environment(autoescape=True)
        .get_template("compare.html")
        .render(_content(compared), accuracy_track=figures.of_shares(lows), change_track=figures.around_zero(ends))
    )


def render_comparison_markdown(compared: RunComparison) -> str:
    """Draws the tables for a pull request."""
    made = template_environment(autoescape=False)
    made.filters["cell"] = cell
    return made.get_template("compare.md").render(_content(compared))


def _content(compared: RunComparison) -> dict[str, Any]:
    return {
        "compared": compared,
        "runs": compared.runs,
        "headline": headline,
        "words": _WORDS,
        "score_names": _score_names(compared),
        "score": _score,
        "shown": _shown,
        "confidence": f"{100 * compared.runs[0].result.confidence:g}%",
    }


def _score_names(compared: RunComparison) -> list[str]:
    """Names of the scores that any run's generator has."""
    parts = [run.result.generator for run in compared.runs if run.result.generator is not None]
    return [name for name in SCORES if any((part.scores or {}).get(name) is not None for part in parts)]


def _score(run: ComparedRun, name: str) -> str:
    scores = run.result.generator.scores if run.result.generator is not None else None
    value = (scores or {}).get(name)
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _shown(value: Any) -> str:
    """A value of a configuration as it would be written there."""
    return json.dumps(value, ensure_ascii=False)


def render_comparison_terminal(compared: RunComparison, console: Console) -> None:
    """Prints the tables and what must be known before numbers are compared.

    Args:
      compared: the runs.
      console: where to print.
    """
    for run in compared.runs:
        console.print(Text(f"{run.label}: {headline(run.result)} ({run.folder})"))
    for note in compared.notes:
        console.print(Text(f"- {note}"))
    for title, table in _tables(compared):
        console.print(Text(f"\n{title}", style="bold"))
        console.print(table)


def _tables(compared: RunComparison) -> Iterator[tuple[str, Table]]:
    """Each table under its title."""
    level = f"{100 * compared.runs[0].result.confidence:g}%"
    labels = [run.label for run in compared.runs]
    table = _table("strategy", labels)
    for name in compared.strategies:
        table.add_row(Text(name), *(_accuracy_cell(compared, run, name) for run in compared.runs))
    yield f"Balanced accuracy on the test images, in per cent, with its {level} interval (* selected)", table
    if compared.changes:
        table = _table("run", ["strategy", "change", "interval", "", ""])
        for change in compared.changes:
            table.add_row(Text(change.run), *_change_cells(change))
        yield f"Change against {labels[0]}, in points", table
    table = _table("class", labels)
    for name in compared.class_names:
        table.add_row(Text(name), *(_recall_cell(compared, run, name) for run in compared.runs))
    yield "Recall of each class under the selected strategy, in per cent", table
    names = _score_names(compared)
    if names:
        title = "Scores of the generators"
        if not compared.scores_comparable:
            title += ": measured on different features or data, so that they do not compare"
        table = _table("score", labels)
        for name in ("extractor", *names):
            table.add_row(Text(name), *(Text(_score(run, name)) for run in compared.runs))
        yield title, table
    if compared.differences:
        table = _table("key", labels)
        for difference in compared.differences:
            table.add_row(Text(difference.key), *(Text(_shown(value)) for value in difference.values))
        yield "Differences in the configuration", table


def _table(first: str, columns: list[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(Text(first))
    for column in columns:
        table.add_column(Text(column), justify="right", overflow="fold")
    return table


def _accuracy_cell(compared: RunComparison, run: ComparedRun, name: str) -> Text:
    strategy = compared.strategy(run, name)
    if strategy is None:
        return Text("-")
    test = strategy.test
    ends = f" {100 * test.balanced_accuracy_low:.1f}\N{EN DASH}{100 * test.balanced_accuracy_high:.1f}"
    chosen = " *" if name == run.result.selected else "  "
    return Text.assemble(percent(test.balanced_accuracy)[:-1], (ends, "dim"), chosen)


def _change_cells(change: RunChange) -> Iterator[Text]:
    same = change.strategy == change.reference_strategy
    yield Text(change.strategy if same else f"{change.strategy} against {change.reference_strategy}")
    yield Text(points(change.change), style="bold")
    yield Text(f"{points(change.low)} to {points(change.high)}")
    yield Text(f"{SYMBOLS[change.verdict]} {_WORDS[change.verdict]}", style=_STYLES[change.verdict])
    yield Text("" if change.is_paired else "not paired", style="dim")


def _recall_cell(compared: RunComparison, run: ComparedRun, name: str) -> Text:
    found = compared.of_class(run, name)
    if found is None or found.recall is None or found.recall_low is None or found.recall_high is None:
        return Text("-")
    return Text.assemble(
        f"{100 * found.recall:.0f}", (f" {100 * found.recall_low:.0f}\N{EN DASH}{100 * found.recall_high:.0f}", "dim")
    )
