"""Shows how far a run is: a live line per running stage on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn

from evenhand.progress import Progress as Report

if TYPE_CHECKING:
    from evenhand.logs import Terminal
    from evenhand.pipeline.stages import StageEvent

PLAIN_WIDTH = 120
PLAIN_EVERY_SECONDS = 30.0
VERBOSE_EVERY_SECONDS = 5.0


def open_console(out: TextIO) -> Console:
    """A console that prints plainly: no colours of its own finding, and into files in lines as long as they are."""
    is_terminal = out.isatty()
    width = None if is_terminal or "COLUMNS" in os.environ else PLAIN_WIDTH
    return Console(file=out, highlight=False, soft_wrap=not is_terminal, width=width)


class Display:
    """Turns stage events and progress reports into lines.

    Attributes:
      console: prints to what standard output was.
      finished: stages that were done or cached so far.
    """

    def __init__(self, terminal: Terminal, *, quiet: bool, verbose: bool) -> None:
        self.console = open_console(terminal.out)
        self.finished = 0
        self._quiet = quiet
        self._every_seconds = VERBOSE_EVERY_SECONDS if verbose else PLAIN_EVERY_SECONDS
        self._task: str | None = None
        self._started = self._printed = time.monotonic()
        self._live: Progress | None = None
        self._live_task: TaskID | None = None
        if not quiet and self.console.is_terminal:
            self._live = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[detail]}", markup=False),
                TimeRemainingColumn(compact=True),
                TextColumn("left"),
                console=self.console,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
                refresh_per_second=4,
            )

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Takes the live line away, so that results can be printed below what stands."""
        if self._live:
            self._live.stop()
        self._live = None

    def say(self, line: str) -> None:
        """Prints a line for the user, unless quiet was asked for."""
        if not self._quiet:
            self.console.print(line, markup=False)

    def stage(self, event: StageEvent) -> None:
        """Takes note of a stage that starts or ends; a finished one leaves one line."""
        if event.state == "started":
            self._begin(event.name)
            return
        self.finished += 1
        self._end()
        width = len(str(event.total))
        spent = "cached" if event.state == "cached" else f"{event.seconds:.1f} s"
        self.say(f"[{event.index + 1:>{width}}/{event.total}] {event.name:<44} {spent:>9}")

    def progress(self, report: Report) -> None:
        """Takes note of how far the running stage is."""
        if self._quiet:
            return
        if report.task != self._task:
            self._begin(report.task)
        if self._live and self._live_task is not None:
            self._live.update(self._live_task, completed=report.done, total=report.total, detail=_detail(report))
        elif not self._live and time.monotonic() - self._printed >= self._every_seconds:
            self._printed = time.monotonic()
            self.say(f"  {report.task}: {_detail(report)}{self._left(report)}")

    def _begin(self, task: str) -> None:
        self._end()
        self._task = task
        self._started = self._printed = time.monotonic()
        if self._live:
            self._live_task = self._live.add_task(task, total=None, detail="")

    def _end(self) -> None:
        if self._live and self._live_task is not None:
            self._live.remove_task(self._live_task)
        self._task = self._live_task = None

    def _left(self, report: Report) -> str:
        if not report.total or not report.done:
            return ""
        seconds = (time.monotonic() - self._started) * (report.total - report.done) / report.done
        return f", about {seconds:.0f} s left"


def _detail(report: Report) -> str:
    total = "" if report.total is None else f"/{report.total}"
    metrics = "".join(f"  {name} {value:.4g}" for name, value in report.metrics.items())
    return f"{report.unit} {report.done}{total}{metrics}"
