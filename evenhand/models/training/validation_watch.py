"""A look at validation images now and then while a classifier trains, for learning curves and TensorBoard.

It changes nothing about the training: what stops a phase early is `EarlyStop`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from evenhand.data.image_table import ImageTable
from evenhand.evaluation.confusion import confusion_matrix, measure_confusion
from evenhand.models.training.checkpoint import to_array
from evenhand.models.training.classification import SharedClassifier
from evenhand.models.training.classifier_callbacks import Log

LOOKS = 8
"""In each phase, where `training.watch_every` does not say otherwise."""

MOST_IMAGES = 2000
"""Validation images of a look; more would cost a small classifier more than its training."""

_CELL = 12


class ValidationWatch(keras.callbacks.Callback):
    """Logs balanced accuracy on validation, and for TensorBoard each class's recall and the confusion matrix.

    Args:
      shared: the network in training.
      validation: images, of which at most `MOST_IMAGES`, evenly spread over the table, are looked at.
      every: gradient steps between two looks; the last step of the phase has one, too.
      log: takes the balanced accuracies, and for TensorBoard the rest.
    """

    def __init__(self, shared: SharedClassifier, validation: ImageTable, every: int, log: Log) -> None:
        super().__init__()
        self._shared, self._every, self._log = shared, every, log
        self._images = _spread(validation, MOST_IMAGES)
        self._looked_at = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(to_array(self.model.optimizer.iterations))
        if step - self._looked_at >= self._every:
            self._look(step)

    def on_train_end(self, logs: Any = None) -> None:
        step = int(to_array(self.model.optimizer.iterations))
        if step > self._looked_at:
            self._look(step)
        # The log, which is called before, has done so already.
        self._log.flush()

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        return {"looked_at": self._looked_at}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from what a checkpoint held."""
        self._looked_at = int(state["looked_at"])

    def _look(self, step: int) -> None:
        self._looked_at = step
        predicted = self._shared.predict(self._images).argmax(axis=1)
        matrix = confusion_matrix(self._images.labels, predicted, self._shared.num_classes)
        found = measure_confusion(matrix)
        self._log.add(step, "validation_balanced_accuracy", float(found.balanced_accuracy))
        recalls = zip(self._images.class_names, found.recall.tolist(), strict=True)
        self._log.write(step, {f"recall/{name}": recall for name, recall in recalls if not np.isnan(recall)})
        self._log.write_image(step, "confusion", confusion_image(matrix))


def _spread(table: ImageTable, most: int) -> ImageTable:
    """At most so many images, evenly spread over the table's rows."""
    if len(table) <= most:
        return table
    return table.rows(np.linspace(0, len(table) - 1, most).astype(np.int64))


def confusion_image(matrix: NDArray[np.int64]) -> NDArray[np.uint8]:
    """A picture of a confusion matrix: rows are true classes, darker is a larger share of the row.

    Args:
      matrix: int64[c, c], images by true and predicted class.

    Returns:
      uint8[12 c, 12 c, 1].
    """
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    pixels = np.rint(255 * (1 - shares)).astype(np.uint8)
    return np.kron(pixels, np.ones((_CELL, _CELL), np.uint8))[..., None]
