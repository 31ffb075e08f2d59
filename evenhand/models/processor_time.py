"""How much of the processor work takes: its budget in core-hours, whatever else the machine does meanwhile."""

from __future__ import annotations

import time
from types import TracebackType

SECONDS_PER_HOUR = 3600.0


class ProcessorTime:
    """Measures the processor time of this process, all its threads, while the context is open.

    Time of an accelerator is none of the processor's: there it says what feeding it takes.

    Attributes:
      seconds: of processor time; 0 before the context is closed.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._elapsed = 0.0

    def __enter__(self) -> ProcessorTime:
        self._processor, self._clock = time.process_time(), time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.process_time() - self._processor
        self._elapsed = time.monotonic() - self._clock

    def of(self, seconds: float) -> float:
        """Processor time of work that took `seconds` in all, of which this measured the last attempt alone.

        Interrupted training keeps its wall-clock time; its earlier attempts are taken to have used as many cores.
        """
        return self.seconds * max(seconds / self._elapsed, 1.0) if self._elapsed else self.seconds
