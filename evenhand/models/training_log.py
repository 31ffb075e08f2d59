"""What a model went through to become what it is: a file beside it that grows with every phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evenhand.config import Section
from evenhand.models.phase import Phase
from evenhand.models.processor_time import SECONDS_PER_HOUR

FILE_NAME = "training.json"


class PhaseLog(Section):
    """One finished phase.

    Attributes:
      phase: what was asked for.
      steps: gradient steps taken.
      seconds: wall-clock time.
      processor_seconds: of all cores, over all attempts; None in logs that are older than this number.
      stopped_early: whether early stopping ended it and restored the best weights.
      device: how the hardware was used, without `auto`; None in logs that are older than this.
    """

    phase: Phase
    steps: int
    seconds: float
    stopped_early: bool
    processor_seconds: float | None = None
    device: dict[str, Any] | None = None


class TrainingLog(Section):
    """All phases of a strategy so far.

    Attributes:
      phases: in order.
      history: logged values, each row with its `step`, counted over all phases.
    """

    phases: tuple[PhaseLog, ...] = ()
    history: tuple[dict[str, float], ...] = ()

    @property
    def steps(self) -> int:
        """Gradient steps in all."""
        return sum(phase.steps for phase in self.phases)

    @property
    def core_hours(self) -> float | None:
        """Processor time of all phases in hours; None where that of one is not known, or there is none."""
        seconds = [phase.processor_seconds for phase in self.phases]
        known = [value for value in seconds if value is not None]
        return sum(known) / SECONDS_PER_HOUR if known and len(known) == len(seconds) else None

    def extended(self, phase: PhaseLog, history: Sequence[Mapping[str, float]]) -> TrainingLog:
        """The log after one more phase, whose rows count their steps from its own start."""
        rows = tuple({**row, "step": row["step"] + self.steps} for row in history)
        return TrainingLog(phases=(*self.phases, phase), history=(*self.history, *rows))

    def write(self, folder: Path) -> None:
        """Writes the log into the model's folder."""
        (folder / FILE_NAME).write_text(self.model_dump_json(indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path | None) -> TrainingLog:
        """The log in a model's folder; an empty one for None, the start of a strategy."""
        return cls() if folder is None else cls.model_validate_json((folder / FILE_NAME).read_bytes())

    def to_json(self) -> list[dict[str, Any]]:
        """The phases as plain JSON values, what was asked for and what came of it in one object each."""
        return [
            {**log.phase.model_dump(mode="json"), **log.model_dump(mode="json", exclude={"phase"})}
            for log in self.phases
        ]
