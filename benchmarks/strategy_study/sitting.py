"""A sitting: the units that are still to do, one after the other, until all are done or its time is up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from benchmarks.strategy_study.arms import RANKS, StudyArm
from benchmarks.strategy_study.images import SeedImages
from benchmarks.strategy_study.protocol import Protocol
from benchmarks.strategy_study.records import Record, Records
from benchmarks.strategy_study.units import run_unit
from evenhand import progress
from evenhand.errors import EvenhandError

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Unit:
    """An arm with a seed."""

    arm: StudyArm
    seed: int


def units(arms: Sequence[StudyArm], seeds: Sequence[int]) -> list[Unit]:
    """All units: the arms that matter most with every seed first, and seed by seed, as a seed's arms share images."""
    return [Unit(arm, seed) for rank in RANKS for seed in seeds for arm in arms if arm.rank == rank]


@dataclass(frozen=True)
class Sitting:
    """What a sitting works on.

    Attributes:
      protocol: of all units.
      path: the archive of images.
      folder: of everything that is not worth keeping.
      records: of finished units.
      hours: after which no further unit begins; None for no bound.
    """

    protocol: Protocol
    path: Path
    folder: Path
    records: Records
    hours: float | None

    def run(self, wanted: Sequence[Unit]) -> int:
        """Does the units that no record holds; returns how many are left, those that failed among them."""
        finished = self.records.read()
        todo = [unit for unit in wanted if self.protocol.identity(unit.arm.plan(), unit.seed) not in finished]
        started, left, images = time.monotonic(), len(todo), None
        with _Display(len(wanted), len(wanted) - len(todo)) as display:
            for begun, unit in enumerate(todo):
                # The first one is always done, so that every sitting gets somewhere.
                if begun and self._is_over(started):
                    break
                if images is None or images.seed != unit.seed:
                    images = SeedImages(self.protocol, self.path, unit.seed, self.folder / "images")
                try:
                    finished_unit = run_unit(unit.arm.plan(), images, self.folder / "state")
                except EvenhandError as error:
                    display.tell(f"{unit.arm.name}, seed {unit.seed} failed: {error}")
                    continue
                self.records.add(*finished_unit)
                left -= 1
                display.tell(_told(finished_unit[0]))
                display.advance((time.monotonic() - started) / (begun + 1) * (len(todo) - begun - 1))
        return left

    def _is_over(self, started: float) -> bool:
        return self.hours is not None and time.monotonic() - started >= self.hours * SECONDS_PER_HOUR


class _Display:
    """Two bars: the units of the study, with the time left, and the training that is under way."""

    def __init__(self, total: int, completed: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._console, self._stack = Console(), ExitStack()
        self._bar = Bar(*columns, console=self._console)
        self._units = self._bar.add_task("units", total=total, completed=completed)
        self._training = self._bar.add_task("", total=None)

    def __enter__(self) -> _Display:
        self._stack.enter_context(self._bar)
        self._stack.enter_context(progress.listen(self._show))
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    def _show(self, report: progress.Progress) -> None:
        self._bar.update(self._training, description=report.task, completed=report.done, total=report.total)

    def tell(self, text: str) -> None:
        """Prints a line above the bars."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def advance(self, seconds_left: float) -> None:
        """Counts a finished unit."""
        self._bar.update(self._units, advance=1, description=f"units, about {_duration(seconds_left)} left")


def _told(record: Record) -> str:
    accuracy = sum(record.right) / sum(record.support)
    worst = min(right / support for right, support in zip(record.right, record.support, strict=True))
    return (
        f"{record.arm}, seed {record.seed}: {accuracy:.1%}, worst class {worst:.0%}, "
        f"{record.seconds:.0f} s ({record.processor_seconds:.0f} of processor)"
    )


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
