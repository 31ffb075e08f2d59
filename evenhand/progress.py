"""How long work tells how far it is, without knowing who shows it.

Work calls `advance(...)`; whoever shows progress (the command line, a notebook) subscribes with `listen`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """One report of progress.

    Attributes:
      task: what is being done, e.g. `"train baseline"`.
      done: units finished so far.
      total: units in all, or None when unknown.
      unit: what is counted, e.g. `"step"` or `"image"`.
      metrics: the newest values worth showing, e.g. `{"loss": 0.31}`.
    """

    task: str
    done: int
    total: int | None
    unit: str = "step"
    metrics: Mapping[str, float] = field(default_factory=dict)


_listeners: list[Callable[[Progress], None]] = []


def advance(
    task: str, done: int, total: int | None, unit: str = "step", metrics: Mapping[str, float] | None = None
) -> None:
    """Tells every listener how far `task` is."""
    for listener in _listeners:
        listener(Progress(task, done, total, unit, metrics or {}))


@contextmanager
def listen(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Subscribes `listener` while the context is open."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
