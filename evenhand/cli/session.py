"""What surrounds the work of a command: the terminal kept clean, progress shown, signals and defects told in words."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from evenhand.errors import EvenhandError

if TYPE_CHECKING:
    from evenhand.cli.display import Display


class Defect(EvenhandError):
    """A mistake of ours, told in one sentence; the log holds its traceback."""


class Terminated(BaseException):
    """The process was asked to end by SIGTERM."""


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    # A second SIGTERM ends the process the ordinary way, should cleaning up hang.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated


@contextmanager
def session(log: Path | None, *, quiet: bool, verbose: bool) -> Iterator[Display]:
    """Runs the work of a command with everything that libraries print in `log`.

    Args:
      log: the log file, or None for commands that leave none.
      quiet: show no progress.
      verbose: show more of it, and tracebacks.

    Yields:
      The display, whose console reaches the user.

    Raises:
      EvenhandError: as the work raised it, also where a library wrapped it.
      Defect: for every other exception of the work.
    """
    from evenhand import progress
    from evenhand.cli.display import Display
    from evenhand.logs import redirected

    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        with (
            redirected(log) as terminal,
            Display(terminal, quiet=quiet, verbose=verbose) as display,
            progress.listen(display.progress),
        ):
            try:
                yield display
            except (Exception, SystemExit) as error:  # a library that ends the process is no better
                raise _told(error, log, terminal.err if verbose else None) from error
    finally:
        signal.signal(signal.SIGTERM, previous)


def _told(error: Exception | SystemExit, log: Path | None, show: object) -> EvenhandError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, EvenhandError):
            return cause
        cause = cause.__cause__ or cause.__context__
    traceback.print_exception(error)
    if show is not None:
        traceback.print_exception(error, file=show)  # type: ignore[call-overload]
    where = f"; the log is {log}" if log is not None else "; --verbose shows where"
    first_line = (str(error).strip() or "no message").splitlines()[0]
    return Defect(f"a defect of ours: {type(error).__name__}: {first_line}{where}.")
