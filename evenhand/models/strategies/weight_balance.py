"""Weight decay while learning features, then the last layer under MaxNorm with class weights (Alshammari et al., 2022).

The decay wants tuning: with Adam's decoupled decay the weights shrink by the sum of `rate * weight_decay` over the
steps, so that few steps need a larger one.
"""

from __future__ import annotations

from pydantic import Field

from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import LossOptions


class Options(LossOptions):
    """Options of the strategy.

    Attributes:
      loss: of the last layer's phase.
      weight_decay: of the kernels in both phases, in units of the learning rate.
      max_norm: of each class's weights in the last layer, as a multiple of their mean norm after the first phase.
      head_share: of the gradient steps, for the last layer.
      head_learning_rate: factor on the learning rate for the last layer.
    """

    loss: Loss = Loss(name="class_weight", options={"by": "effective_number", "beta": 0.9999})
    weight_decay: float = Field(0.1, gt=0.0)
    max_norm: float = Field(1.0, gt=0.0)
    head_share: float = Field(0.2, gt=0.0, lt=1.0)
    head_learning_rate: float = Field(1.0, gt=0.0)


def phases(options: Options) -> tuple[Phase, ...]:
    """Two phases on the real images."""
    return options.apply_to(
        Phase(on="real", share=1.0 - options.head_share, weight_decay=options.weight_decay),
        Phase(
            on="real",
            share=options.head_share,
            loss=options.loss,
            learning_rate=options.head_learning_rate,
            frozen_share=1.0,
            weight_decay=options.weight_decay,
            max_norm=options.max_norm,
        ),
    )
