"""Everything that looks on while a classifier trains, put together, restored and saved as one."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from evenhand.config import Training
from evenhand.data.image_table import ImageTable
from evenhand.models.training.classification import SharedClassifier
from evenhand.models.training.classifier_callbacks import EarlyStop, Log
from evenhand.models.training.hparams import write_hparams
from evenhand.models.training.validation_watch import LOOKS, ValidationWatch


class Observers:
    """Log and progress, early stopping, and looks at validation.

    Args:
      shared: the network in training.
      training: the budget, with what stops it and how often validation is looked at.
      log: rows, progress and TensorBoard's scalars.
      validation: images for early stopping, where `training` wants it; None for none.
      watched: images whose balanced accuracy is logged; None for none.
      steps: gradient steps of the phase.
      log_dir: for TensorBoard, or None.

    Attributes:
      rows: what was logged.
    """

    def __init__(
        self,
        shared: SharedClassifier,
        training: Training,
        log: Log,
        *,
        validation: ImageTable | None,
        watched: ImageTable | None,
        steps: int,
        log_dir: Path | None,
    ) -> None:
        self._log, self._log_dir = log, log_dir
        self._stop = self._watch = None
        if validation is not None and training.early_stopping is not None:
            self._stop = EarlyStop(shared, validation, training.early_stopping, log)
        if watched is not None and len(watched):
            every = training.watch_every or math.ceil(steps / LOOKS)
            self._watch = ValidationWatch(shared, watched, every, log)
        self._started = time.monotonic()

    @property
    def rows(self) -> list[dict[str, float]]:
        return self._log.rows

    @property
    def seconds(self) -> float:
        """Wall-clock time so far, earlier attempts included."""
        return time.monotonic() - self._started + self._log.seconds

    @property
    def callbacks(self) -> list[keras.callbacks.Callback]:
        """In the order in which they must be called."""
        return [observer for observer in (self._log, self._watch, self._stop) if observer is not None]

    @property
    def has_stopped(self) -> bool:
        """Whether early stopping has ended the phase."""
        return self._stop is not None and self._stop.stopped

    def keep_best(self) -> None:
        """With early stopping, sets the network to the best weights seen."""
        if self._stop is not None:
            self._stop.keep_best()

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        parts = [part.state() for part in (self._stop, self._watch) if part is not None]
        return {**self._log.state(self.seconds), **{key: value for part in parts for key, value in part.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from what a checkpoint held."""
        for part in (self._log, self._stop, self._watch):
            if part is not None:
                part.restore(state)

    def write_hparams(self, settings: Mapping[str, Any]) -> None:
        """Writes the settings of the training, and the last value of everything logged, for TensorBoard's HParams."""
        if self._log_dir is not None:
            final = {name: value for row in self.rows for name, value in row.items()}
            write_hparams(self._log_dir, settings, {name: final[name] for name in final if name != "step"})
