"""The weights of the best moment of a training, kept until its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import keras
import numpy as np
import tensorflow as tf

from evenhand.models.training.checkpoint import to_array
from evenhand.models.training.conditional_generator import ConditionalGenerator


class BestWeights:
    """Keeps the weights with the lowest score so far, in variables that a checkpoint holds beside the model's own.

    So they are of the same moment as all that an interrupted training goes on from.

    Args:
      model: whose weights are kept, all but the count of its steps.

    Attributes:
      variables: the weights that are kept; those of the beginning while `step` is None.
      step: whose weights they are.
    """

    def __init__(self, model: ConditionalGenerator) -> None:
        self._weights = [variable for variable in model.variables if variable is not model.step]
        # On the host: an accelerator's memory has better uses.
        with tf.device("CPU"):
            self.variables = [
                keras.Variable(to_array(weight), dtype=weight.dtype, trainable=False, name="best")
                for weight in self._weights
            ]
        self.step: int | None = None
        self._score = np.inf

    def resume(self, rows: Iterable[Mapping[str, float]], name: str) -> None:
        """Finds the best score again among the rows of a training that goes on."""
        for row in rows:
            if row[name] < self._score:
                self._score, self.step = row[name], int(row["step"])

    def offer(self, step: int, score: float) -> None:
        """Keeps the present weights if `score` is lower than all before."""
        if score < self._score:
            self._score, self.step = score, step
            for kept, weight in zip(self.variables, self._weights, strict=True):
                kept.assign(to_array(weight))

    def put_back(self) -> None:
        """Gives the model the best weights; leaves it as it is where there were none."""
        if self.step is not None:
            for kept, weight in zip(self.variables, self._weights, strict=True):
                weight.assign(to_array(kept))
