"""Tables that commands print: a plan, and what a source holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from evenhand.data.inspect import Inspection, Range
    from evenhand.pipeline.plan import Plan

_SKIPPED_SHOWN = 10


def print_plan(planned: Plan, console: Console) -> None:
    """Prints the images by split and the stages of a run, with the time that they take."""
    classes = _table("Real images", "class", "train", "validation", "test")
    for name, *counts in planned.classes:
        classes.add_row(Text(name), *map(str, counts))
    stages = _table("Stages", "stage", "estimate")
    for stage in planned.stages:
        stages.add_row(Text(stage.name), _duration(stage.seconds))
    console.print(classes, "", stages, "", sep="\n")
    console.print(f"In all {_duration(planned.seconds)} on 2 CPU cores, and {planned.bytes / 1e6:.0f} MB of disk.")


def print_inspection(found: Inspection, console: Console) -> None:
    """Prints counts by class and split, then what else is known of a source, one fact a line."""
    columns = {"images": found.counts}
    columns |= {f"own {split}": counts for split, counts in found.own_splits.items()} | dict(found.splits)
    table = _table(None, "class", *columns)
    for label, name in enumerate(found.class_names):
        table.add_row(Text(name), *(str(counts[label]) for counts in columns.values()))
    table.add_section()
    table.add_row("all", *(str(sum(counts)) for counts in columns.values()))
    console.print(table)
    for line in _facts(found):
        console.print(line, markup=False, soft_wrap=True)


def _facts(found: Inspection) -> Iterator[str]:
    yield f"source           {found.source}"
    yield f"imbalance ratio  {found.imbalance_ratio:.1f} (images of the largest class for one of the smallest)"
    yield f"image size       {_range(found.widths)} wide, {_range(found.heights)} high, {found.channels} channel(s)"
    yield f"duplicates       {found.duplicates}"
    if found.conflicting:
        yield f"conflicting      {found.conflicting} images whose picture also stands under another label"
    if found.withheld:
        yield f"withheld         {found.withheld} images with a copy or a group in the source's own other split"
    if found.groups is not None:
        yield f"groups           {found.groups}"
    yield f"left out         {len(found.skipped)}"
    for image_id, reason in found.skipped[:_SKIPPED_SHOWN]:
        yield f"  {image_id}: {reason}"
    if len(found.skipped) > _SKIPPED_SHOWN:
        yield f"  and {len(found.skipped) - _SKIPPED_SHOWN} more"
    if found.problem is not None:
        yield f"cannot be run    {found.problem}"


def _range(values: Range) -> str:
    return (
        f"{values.low} px"
        if values.low == values.high
        else f"{values.low} to {values.high} px (median {values.median:g})"
    )


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _table(title: str | None, first: str, *numbers: str) -> Table:
    table = Table(first, title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in numbers:
        table.add_column(name, justify="right")
    return table
