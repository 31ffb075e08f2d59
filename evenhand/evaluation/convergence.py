"""How soon a strategy is as good on validation as the baseline ever was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SCORES = {"validation_balanced_accuracy": 1, "validation_accuracy": 1, "validation_loss": -1}
"""Logged validation scores, the most telling first, with 1 where more is better and -1 where less is."""


@dataclass(frozen=True)
class Convergence:
    """When a strategy first reaches the baseline's best validation score.

    Attributes:
      score: name of the logged score; None where no score was logged by both.
      target: the baseline's best.
      steps: gradient steps, over all phases, to the first row that reaches it; None where none does.
      epochs: the same in passes over the real training images, whatever the strategy trained on; None without `steps`.
      reason: why `steps` is None; None where it is not.
    """

    score: str | None
    target: float | None
    steps: int | None
    epochs: float | None
    reason: str | None

    def to_dict(self) -> dict[str, Any]:
        """The object as it stands in result.json."""
        return dict(self.__dict__)


def convergence(
    history: Sequence[Mapping[str, float]],
    baseline: Sequence[Mapping[str, float]],
    *,
    epochs_per_step: float | None = None,
) -> Convergence:
    """Compares logged histories of one seed.

    Args:
      history: rows of the strategy, each with its `step`, counted over all phases.
      baseline: rows of the baseline.
      epochs_per_step: batch size over real training images, so that epochs mean the same for each strategy; None where
        it is not known.
    """
    logged = [name for name in SCORES if _values(history, name) and _values(baseline, name)]
    if not logged:
        has_split = any(_values(baseline, name) for name in SCORES)
        reason = "it logs no validation scores" if has_split else "there is no validation split to log scores on"
        return Convergence(None, None, None, None, reason)
    score = logged[0]
    sign = SCORES[score]
    target = max(sign * value for _, value in _values(baseline, score))
    reached = [step for step, value in _values(history, score) if sign * value >= target]
    if not reached:
        return Convergence(score, sign * target, None, None, "the baseline's best score was never reached")
    steps = int(min(reached))
    return Convergence(score, sign * target, steps, None if epochs_per_step is None else steps * epochs_per_step, None)


def _values(rows: Sequence[Mapping[str, float]], name: str) -> list[tuple[float, float]]:
    return [(row["step"], row[name]) for row in rows if np.isfinite(row.get(name, np.nan))]
