"""Ends work that takes longer than it may, by way of the progress that it tells."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from evenhand import progress


class OutOfTime(Exception):
    """The work was not done when its time was over."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises `OutOfTime` out of work that tells progress once `seconds` are over; within the next ten steps, say.

    Work that keeps its state goes on from there the next time.
    """
    end = time.monotonic() + seconds

    def check(report: progress.Progress) -> None:
        if time.monotonic() > end and (report.total is None or report.done < report.total):
            raise OutOfTime(f"{report.task} was not done after {seconds:.0f} s")

    with progress.listen(check):
        yield
