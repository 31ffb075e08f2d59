"""The weights of the best moment of a training, kept until its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.models.training import checkpoint
from evenhand.models.training.conditional_generator import ConditionalGenerator


class BestWeights:
    """Keeps the weights with the lowest score so far, on the disk where there is a folder, else in memory.

    Args:
      model: whose weights are kept, all but the count of its steps.
      folder: where they survive an interruption; None keeps them in memory.
    """

    def __init__(self, model: ConditionalGenerator, folder: Path | None) -> None:
        self._variables = [variable for variable in model.variables if variable is not model.step]
        self._folder = folder
        self._kept: list[NDArray[Any]] | None = None
        self.step: int | None = None
        self._score = np.inf

    def resume(self, rows: list[dict[str, float]], name: str) -> None:
        """Finds the best score again among the rows of a training that goes on; its weights are in the folder."""
        for row in rows:
            if row[name] < self._score:
                self._score, self.step = row[name], int(row["step"])

    def offer(self, step: int, score: float) -> None:
        """Keeps the present weights if `score` is lower than all before."""
        if not score < self._score:
            return
        self._score, self.step = score, step
        if self._folder is not None:
            checkpoint.save(self._folder, self._variables, step)
        else:
            self._kept = [checkpoint.to_array(variable).copy() for variable in self._variables]

    def put_back(self) -> None:
        """Gives the model the best weights; leaves it as it is where there were none."""
        if self._folder is not None:
            restored = checkpoint.restore(self._folder, self._variables)
            self.step = None if restored is None else restored.step
        elif self._kept is not None:
            for variable, value in zip(self._variables, self._kept, strict=True):
                variable.assign(value)
