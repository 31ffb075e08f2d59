"""Which strategy's model is pushed: the best balanced accuracy on validation, never on test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.evaluation.confusion import confusion_matrix, measure_confusion


@dataclass(frozen=True)
class Selection:
    """The outcome of `select`.

    Attributes:
      chosen: name of the strategy.
      scores: balanced accuracy of each candidate on validation; None where there are no validation images.
      forced: whether the config named the strategy.
      passes: whether the chosen one reaches the minimum that was asked for.
    """

    chosen: str
    scores: dict[str, float | None]
    forced: bool
    passes: bool

    def to_json(self) -> str:
        """The text of a file that `from_json` reads."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Selection:
        """What `to_json` wrote."""
        return cls(**json.loads(text))


def select(
    candidates: Mapping[str, tuple[NDArray[np.integer], NDArray[np.floating]]],
    *,
    forced: str | None,
    minimum: float | None,
) -> Selection:
    """Chooses the candidate with the highest balanced accuracy; on a tie the one named first, the simpler remedy.

    Args:
      candidates: strategy -> (labels int[n], probabilities float[n, c]) on validation, simplest strategy first.
      forced: the strategy to choose whatever the scores.
      minimum: balanced accuracy that the chosen one must reach; None for no gate.
    """
    scores = {name: _score(*validation) for name, validation in candidates.items()}

    def rank(name: str) -> float:
        score = scores[name]
        return -1.0 if score is None else score

    chosen = forced or max(scores, key=rank)
    score = scores[chosen]
    return Selection(chosen, scores, forced is not None, minimum is None or (score is not None and score >= minimum))


def _score(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> float | None:
    if not len(labels):
        return None
    matrix = confusion_matrix(labels, probabilities.argmax(axis=1), probabilities.shape[1])
    return float(measure_confusion(matrix).balanced_accuracy)
