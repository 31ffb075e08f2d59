"""A phase of a strategy: what one Trainer does."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evenhand.config import Augmentation, Section


class Phase(Section):
    """One stage of training; phase n + 1 starts from phase n's weights.

    Attributes:
      on: the images it trains on.
      share: of the strategy's gradient steps, in (0, 1]; the shares of a strategy sum to 1.
      sampling: how images are drawn: as they come, every class alike, or by the square root of the counts.
      loss: `cross_entropy`, or `balanced_softmax` with the class counts of the phase's own images.
      learning_rate: factor on `training.learning_rate`.
      augmentation: the phase's own; None takes `training.augmentation`.
    """

    on: Literal["real", "synthetic"]
    share: float = Field(1.0, gt=0.0, le=1.0)
    sampling: Literal["instance", "balanced", "sqrt"] = "instance"
    loss: Literal["cross_entropy", "balanced_softmax"] = "cross_entropy"
    learning_rate: float = Field(1.0, gt=0.0)
    augmentation: Augmentation | None = None
