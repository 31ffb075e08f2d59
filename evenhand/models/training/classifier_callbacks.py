"""What happens between a classifier's gradient steps: logs and progress, the stop on NaN, early stopping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand import progress
from evenhand.config import EarlyStopping
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models.training.checkpoint import to_array
from evenhand.models.training.classification import SharedClassifier
from evenhand.models.training.fit_callbacks import write_scalars

_EVERY_STEPS = 10


class Log(keras.callbacks.Callback):
    """Keeps a row of values every ten steps, tells progress and TensorBoard, and stops when a training has diverged.

    That is when the loss is not finite, or the norm of the weights: oneDNN's rectifier makes 0 of what is no number, so
    that a loss may look well while no weight is.

    Args:
      task: what progress calls the training.
      steps: gradient steps in all.
      epochs_per_step: batch size over images; people read epochs.
      shared: the network in training.
      log_dir: for TensorBoard, or None.

    Attributes:
      rows: what was logged, averaged over the steps since the row before.
      seconds: spent by earlier attempts.
    """

    def __init__(
        self, task: str, steps: int, epochs_per_step: float, shared: SharedClassifier, log_dir: Path | None
    ) -> None:
        super().__init__()
        self._task, self._steps, self._epochs_per_step, self._shared = task, steps, epochs_per_step, shared
        self._writer = tf.summary.create_file_writer(str(log_dir)) if log_dir is not None else None
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0
        self._logged_at = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._tell(int(to_array(self.model.optimizer.iterations)), {})

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(to_array(self.model.optimizer.iterations))
        if step - self._logged_at < _EVERY_STEPS and step < self._steps:
            return
        values = {name: float(value) for name, value in logs.items()}
        weights = [weight.value for weight in self._shared.network.trainable_weights]
        for what, value in {"loss": values["loss"], "norm of weights": float(tf.linalg.global_norm(weights))}.items():
            if not math.isfinite(value):
                raise UserError(
                    "training.learning_rate",
                    f"is too high: the {what} of {self._task!r} was not finite by step {step}",
                    "lower it",
                )
        self.model.begin_window()
        values["learning_rate"] = float(self._shared.rate(step - 1))
        self.rows.append({"step": step, **values})
        self.write(step, values)
        self._logged_at = step
        self._tell(step, values)

    def on_train_end(self, logs: Any = None) -> None:
        self.flush()

    def add(self, step: int, name: str, value: float) -> None:
        """Adds a value to the row of `step`, which is begun where there is none."""
        if not self.rows or self.rows[-1]["step"] != step:
            self.rows.append({"step": step})
        self.rows[-1][name] = value
        self.write(step, {name: value})

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes values for TensorBoard."""
        if self._writer is not None:
            write_scalars(self._writer, {"step": step, **values})

    def write_image(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Writes uint8[h, w, 1 or 3] for TensorBoard."""
        if self._writer is not None:
            with self._writer.as_default(step=step):
                tf.summary.image(name, image[None])

    def flush(self) -> None:
        """Makes TensorBoard see what was written."""
        if self._writer is not None:
            self._writer.flush()

    def state(self, seconds: float) -> dict[str, Any]:
        """What a checkpoint must hold."""
        return {
            "rows": self.rows,
            "seconds": seconds,
            "logged_at": self._logged_at,
            "window": self._shared.model.window,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from what a checkpoint held."""
        self.rows, self.seconds = list(state["rows"]), float(state["seconds"])
        self._logged_at = int(state["logged_at"])
        # The folder may be another than that of the training that was interrupted.
        if self._writer is not None:
            for row in self.rows:
                write_scalars(self._writer, row)
        self._shared.model.window = state["window"]

    def _tell(self, step: int, values: Mapping[str, float]) -> None:
        progress.advance(self._task, step, self._steps, metrics={"epoch": step * self._epochs_per_step, **values})


class EarlyStop(keras.callbacks.Callback):
    """Stops when the phase's own loss on validation has not improved, and goes back to the best weights.

    Args:
      shared: the network in training.
      validation: images that it evaluates on.
      settings: patience and interval.
      log: takes the losses.

    Attributes:
      stopped: whether patience has run out.
    """

    def __init__(self, shared: SharedClassifier, validation: ImageTable, settings: EarlyStopping, log: Log) -> None:
        super().__init__()
        self._shared, self._validation, self._settings, self._log = shared, validation, settings, log
        self._best, self._waited, self._evaluated_at = math.inf, 0, 0
        self.stopped = False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(to_array(self.model.optimizer.iterations))
        if step - self._evaluated_at < self._settings.every:
            return
        self._evaluate(step)
        if self.stopped:
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        step = int(to_array(self.model.optimizer.iterations))
        if step > self._evaluated_at:
            self._evaluate(step)

    def keep_best(self) -> None:
        """Sets the network to the best weights seen."""
        for weight, best in zip(self._shared.network.weights, self._shared.model.best, strict=True):
            weight.assign(best)

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold besides the model's variables, among which the best weights are."""
        return {
            "best": self._best if math.isfinite(self._best) else None,
            "waited": self._waited,
            "evaluated_at": self._evaluated_at,
            "stopped": self.stopped,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from what a checkpoint held."""
        self._best = math.inf if state["best"] is None else float(state["best"])
        self._waited, self._evaluated_at = int(state["waited"]), int(state["evaluated_at"])
        self.stopped = bool(state["stopped"])

    def _evaluate(self, step: int) -> None:
        self._evaluated_at = step
        loss = self._loss()
        self._log.add(step, "validation_loss", loss)
        if loss < self._best:
            self._best, self._waited = loss, 0
            for best, weight in zip(self._shared.model.best, self._shared.network.weights, strict=True):
                best.assign(weight)
        else:
            self._waited += 1
            self.stopped = self._waited >= self._settings.patience

    def _loss(self) -> float:
        """The phase's loss, from the probabilities at inference."""
        return self._shared.model.loss_terms.mean(self._shared.predict(self._validation), self._validation.labels)
