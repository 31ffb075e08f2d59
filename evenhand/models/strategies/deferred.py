"""Trains plainly at first and re-balances only in the last part (Cao et al., LDAM-DRW, 2019).

Re-balancing from the first step on spoils the features that the common classes teach; a short balanced end keeps them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import LossOptions


class Options(LossOptions):
    """Options of the strategy.

    Attributes:
      loss: of the last part; `class_weight` there is the paper's re-weighting.
      sampling: of the last part; with `instance` the loss alone re-balances.
      deferred_share: of the gradient steps, in the last part.
      deferred_learning_rate: factor on the learning rate in the last part.
    """

    loss: Loss = Loss()
    sampling: Literal["balanced", "sqrt", "instance"] = "balanced"
    deferred_share: float = Field(0.2, gt=0.0, lt=1.0)
    deferred_learning_rate: float = Field(0.2, gt=0.0, le=1.0)


def phases(options: Options) -> tuple[Phase, ...]:
    """Two phases on the real images, plain and re-balanced."""
    return options.apply_to(
        Phase(on="real", share=1.0 - options.deferred_share),
        Phase(
            on="real",
            share=options.deferred_share,
            sampling=options.sampling,
            loss=options.loss,
            learning_rate=options.deferred_learning_rate,
        ),
    )
