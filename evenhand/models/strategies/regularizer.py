"""Adds the loss of synthetic images to that of real ones in each step: real + lambda * synthetic (S1's REGULARIZER)."""

from __future__ import annotations

from pydantic import Field

from evenhand.data.blend import Blend
from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import LossOptions


class Options(LossOptions):
    """Options of the strategy.

    Attributes:
      loss: of all images, with the class prior of the weighted blend.
      synthetic_share: of every batch; the rest are real images as they come.
      synthetic_weight: lambda, of the mean loss of the synthetic images beside the mean loss of the real ones.
    """

    loss: Loss = Loss(name="balanced_softmax")
    synthetic_share: float = Field(0.5, gt=0.0, lt=1.0)
    synthetic_weight: float = Field(0.5, gt=0.0)


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on both."""
    blend = Blend(share=options.synthetic_share, weight=options.synthetic_weight)
    return options.apply_to(Phase(on="both", blend=blend, loss=options.loss))
