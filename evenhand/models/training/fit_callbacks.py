"""What watches `fit`: tells progress, keeps the history, writes TensorBoard logs and stops on NaN."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from evenhand import progress
from evenhand.errors import EvenhandError


class HistoryCallback(keras.callbacks.Callback):
    """Logs the mean of each metric over every so many steps; raises as soon as one is not a number.

    Args:
      task: what progress calls the training.
      steps: in all.
      every: steps between two rows of the history.
      step: gives the steps done so far.
      history: rows so far, of a training that goes on.
      log_dir: for TensorBoard; None writes nothing.
    """

    def __init__(
        self,
        task: str,
        *,
        steps: int,
        every: int,
        step: Callable[[], int],
        history: Sequence[Mapping[str, float]] = (),
        log_dir: Path | None = None,
    ) -> None:
        super().__init__()
        self._task, self._steps, self._every, self._step = task, steps, every, step
        self.rows: list[dict[str, float]] = [dict(row) for row in history]
        self._writer = None if log_dir is None else tf.summary.create_file_writer(str(log_dir))

    def on_train_begin(self, logs: Any = None) -> None:
        progress.advance(self._task, self._step(), self._steps)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        step = self._step()
        values = {name: float(value) for name, value in (logs or {}).items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise EvenhandError(
                    f"{self._task}: {name} is not a finite number any more at step {step} of {self._steps}; "
                    "training has diverged, lower the learning rate."
                )
        progress.advance(self._task, step, self._steps, metrics=values)
        last = int(self.rows[-1]["step"]) if self.rows else 0
        if step // self._every > last // self._every or step >= self._steps:
            self._log(step, values)

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        self.rows.append({"step": step, **values})
        self.model.reset_metrics()
        if self._writer is not None:
            with self._writer.as_default(step=step):
                for name, value in values.items():
                    tf.summary.scalar(name, value)

    def on_train_end(self, logs: Any = None) -> None:
        if self._writer is not None:
            self._writer.flush()
