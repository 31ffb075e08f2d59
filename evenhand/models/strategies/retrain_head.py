"""Learns features from all images as they come, then the last layer anew from balanced draws (Kang et al., 2020).

`by: retrain` is the paper's cRT: a fresh last layer on frozen features. `by: normalise` is its tau-norm: no second
phase, but each class's weights are divided by their norm to the power `tau`, which is large for common classes.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from evenhand.config import check_effect
from evenhand.models.phase import Phase
from evenhand.models.strategies._options import LossOptions


class Options(LossOptions):
    """Options of the strategy; those of the other way (`by`) are refused.

    Attributes:
      loss: of the features' phase.
      by: `retrain` or `normalise`.
      head_share: of the gradient steps, for the last layer (`retrain`).
      head_learning_rate: factor on the learning rate for the last layer (`retrain`).
      tau: power of the norms (`normalise`).
    """

    by: Literal["retrain", "normalise"] = "retrain"
    head_share: float = Field(0.2, gt=0.0, lt=1.0)
    head_learning_rate: float = Field(1.0, gt=0.0)
    tau: float = Field(1.0, gt=0.0, le=2.0)

    @model_validator(mode="after")
    def _have_an_effect(self) -> Options:
        if self.by == "retrain":
            check_effect(self, ("tau",), "with by: retrain", "set by: normalise")
        else:
            check_effect(self, ("head_share", "head_learning_rate"), "with by: normalise", "set by: retrain")
        return self


def phases(options: Options) -> tuple[Phase, ...]:
    """One or two phases on the real images."""
    if options.by == "normalise":
        return options.apply_to(Phase(on="real", loss=options.loss, head_norm_power=options.tau))
    return options.apply_to(
        Phase(on="real", share=1.0 - options.head_share, loss=options.loss),
        Phase(
            on="real",
            share=options.head_share,
            sampling="balanced",
            learning_rate=options.head_learning_rate,
            head="fresh",
            frozen_share=1.0,
        ),
    )
