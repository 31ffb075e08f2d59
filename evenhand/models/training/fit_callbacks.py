"""What watches `fit`: tells progress, keeps the history, writes TensorBoard logs and stops on NaN."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from evenhand import progress
from evenhand.errors import UserError
from evenhand.models.training.checkpoint import to_array


def write_scalars(writer: Any, row: Mapping[str, float]) -> None:
    """Writes the values of a row for TensorBoard, at its `step`."""
    with writer.as_default(step=int(row["step"])):
        for name, value in row.items():
            if name != "step":
                tf.summary.scalar(name, value)


class HistoryCallback(keras.callbacks.Callback):
    """Logs the mean of each metric over every so many steps; raises as soon as one is not a number.

    Metrics of an update that had no turn meanwhile are left out.

    Args:
      task: what progress calls the training.
      steps: in all.
      every: steps between two rows of the history.
      step: gives the steps done so far.
      history: rows so far, of a training that goes on.
      best_step: gives the step of the best weights so far, for what is told of a divergence; None for none.
      log_dir: for TensorBoard; None writes nothing.

    Raises:
      UserError: from `fit`, if a metric is not a finite number.
    """

    def __init__(  # noqa: PLR0913 - all by keyword but the task
        self,
        task: str,
        *,
        steps: int,
        every: int,
        step: Callable[[], int],
        history: Sequence[Mapping[str, float]] = (),
        best_step: Callable[[], int | None] = lambda: None,
        log_dir: Path | None = None,
    ) -> None:
        super().__init__()
        self._task, self._steps, self._every, self._step = task, steps, every, step
        self._best_step = best_step
        self.rows: list[dict[str, float]] = [dict(row) for row in history]
        self._writer = None if log_dir is None else tf.summary.create_file_writer(str(log_dir))
        # A training that goes on may write to another folder than the one that was interrupted.
        for row in self.rows:
            self._write(row)

    def on_train_begin(self, logs: Any = None) -> None:
        progress.advance(self._task, self._step(), self._steps)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        step = self._step()
        values = self._present({name: float(value) for name, value in (logs or {}).items()})
        for name, value in values.items():
            if not math.isfinite(value):
                raise self._diverged(name, step)
        progress.advance(self._task, step, self._steps, metrics=values)
        last = int(self.rows[-1]["step"]) if self.rows else 0
        if step // self._every > last // self._every or step >= self._steps:
            self._log(step, values)

    def _present(self, values: Mapping[str, float]) -> dict[str, float]:
        """The metrics of updates that had a turn: the mean of nothing is given as 0."""
        if all(values.values()):
            return dict(values)
        empty = {metric.name for metric in self.model.metrics if not to_array(metric.count)}
        return {name: value for name, value in values.items() if name not in empty}

    def _diverged(self, name: str, step: int) -> UserError:
        problem = f"{self._task} diverged: {name} is not a finite number any more at step {step} of {self._steps}"
        best = self._best_step()
        if best is None:
            return UserError("generator.options", problem, "lower the learning rate")
        return UserError(
            "generator.options",
            f"{problem}, and the best weights were those of step {best}",
            f"lower the learning rate, or set generator.steps to {best}",
        )

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        self.rows.append({"step": step, **values})
        self.model.reset_metrics()
        self._write(self.rows[-1])

    def _write(self, row: Mapping[str, float]) -> None:
        if self._writer is not None:
            write_scalars(self._writer, row)

    def on_train_end(self, logs: Any = None) -> None:
        if self._writer is not None:
            self._writer.flush()
