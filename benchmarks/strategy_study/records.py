"""Finished units on the disk: a JSON line for each, its predictions beside it; nothing finished is trained again."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from benchmarks.pages import NO_ACCELERATOR
from evenhand.config import Section
from evenhand.whole_files import replacing

LINES = "units.jsonl"


class Record(Section):
    """A finished unit.

    Attributes:
      identity: digest of all that its predictions depend on.
      arm: name of the row that it belongs to.
      seed: of split, order, initial weights and generator.
      test_digest: of the ids of the test images in the order of the predictions.
      support: test images of each class; the predictions stand in the order of the true classes.
      right: how many of them were recognised.
      train_counts: real training images of each class.
      steps: gradient steps in all phases.
      processor_seconds: of training and prediction, all cores together.
      generator_processor_seconds: of the generator that the seed's arms share; None where none was used.
      seconds: wall-clock time.
      device: how the hardware was used.
      machine: class of the machine.
      date: day on which it ended.
      commit: of the code, which may have changed what the same settings give; empty where git does not know it.
      settings: of the study.
    """

    identity: str
    arm: str
    seed: int
    test_digest: str
    support: tuple[int, ...]
    right: tuple[int, ...]
    train_counts: tuple[int, ...]
    steps: int
    processor_seconds: float
    generator_processor_seconds: float | None
    seconds: float
    device: dict[str, Any]
    machine: str
    date: str
    commit: str
    settings: dict[str, Any]

    @property
    def file_name(self) -> str:
        """Of the predictions."""
        return f"{self.arm}-seed{self.seed}-{self.identity[:8]}.npz"

    @property
    def had_accelerator(self) -> bool:
        """Whether the machine had one, whose own time `processor_seconds` leave out."""
        return not self.machine.endswith(NO_ACCELERATOR)

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64[n], the true classes in the order of the predictions."""
        return np.repeat(np.arange(len(self.support)), self.support)


class Records:
    """The finished units of a table.

    Args:
      folder: holds `units.jsonl` and a file of predictions for each line.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> Mapping[str, Record]:
        """All finished units by identity; the last line of a unit counts.

        A line that was cut off, and one without its predictions, counts as nothing.
        """
        found: dict[str, Record] = {}
        file = self.folder / LINES
        for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
            try:
                record = Record.model_validate_json(line)
            except ValidationError:
                continue
            if (self.folder / record.file_name).is_file():
                found[record.identity] = record
        return found

    def add(self, record: Record, predictions: NDArray[np.integer], adjusted: NDArray[np.integer]) -> None:
        """Keeps a finished unit.

        Args:
          record: of the unit.
          predictions: int[n], classes below 256, in the order of the true classes.
          adjusted: int[n], those after logit adjustment.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.folder / record.file_name) as file:
            np.savez_compressed(file, predictions=predictions.astype(np.uint8), adjusted=adjusted.astype(np.uint8))
        with (self.folder / LINES).open("a+b") as lines:
            # Two studies may run side by side.
            fcntl.flock(lines, fcntl.LOCK_EX)
            end = lines.seek(0, os.SEEK_END)
            if end and _last_byte(lines) != b"\n":
                lines.write(b"\n")
            lines.write((json.dumps(record.model_dump(mode="json"), sort_keys=True) + "\n").encode())
            lines.flush()
            os.fsync(lines.fileno())

    def predictions(self, record: Record, *, adjusted: bool = False) -> NDArray[np.uint8]:
        """uint8[n], in the order of `record.labels`, after logit adjustment or without it."""
        with np.load(self.folder / record.file_name, allow_pickle=False) as arrays:
            found: NDArray[np.uint8] = arrays["adjusted" if adjusted else "predictions"]
        return found


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    found: bytes = file.read(1)
    return found
