"""Pretrains on synthetic images of every class, then fine-tunes on the real ones at a lower rate (S1's PRETRAIN).

S1 fine-tunes with plain cross-entropy, which brings back the class prior that pretraining on as many images of every
class had removed. So the default corrects it (`balanced_softmax`); `loss: cross_entropy` is the paper's. Statistics of
batch normalisation follow the images of each phase, in frozen layers too, so that they end as those of real images.
With a few images in the rarest classes and a few hundred steps, drawing every class alike (`sampling: balanced`, with
`loss: cross_entropy`, since either corrects the prior alone) shows them often enough to be learnt from.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evenhand.models.phase import FrozenShare, Loss, Phase
from evenhand.models.strategies._options import LossOptions


class Options(LossOptions):
    """Options of the strategy.

    Attributes:
      loss: of the fine-tuning.
      sampling: how images are drawn while fine-tuning.
      pretrain_share: of the gradient steps, on synthetic images.
      fine_tune_learning_rate: factor on the learning rate while fine-tuning.
      first_layer_rate: a further factor for the first layers while fine-tuning, rising to 1 at the last one; None, or
        1, trains all alike.
      frozen_share: of the layers below the last one, from the input on, that fine-tuning leaves as they are; rounded to
        eighths.
    """

    loss: Loss = Loss(name="balanced_softmax")
    sampling: Literal["instance", "balanced", "sqrt"] = "instance"
    pretrain_share: float = Field(0.3, gt=0.0, lt=1.0)
    fine_tune_learning_rate: float = Field(0.5, gt=0.0, le=1.0)
    first_layer_rate: float | None = Field(None, gt=0.0, le=1.0)
    frozen_share: FrozenShare | None = None


def phases(options: Options) -> tuple[Phase, ...]:
    """Two phases, the first on synthetic images and the second on real ones."""
    return options.apply_to(
        Phase(on="synthetic", share=options.pretrain_share, sampling="balanced"),
        Phase(
            on="real",
            share=1.0 - options.pretrain_share,
            sampling=options.sampling,
            loss=options.loss,
            learning_rate=options.fine_tune_learning_rate,
            first_layer_rate=options.first_layer_rate,
            frozen_share=options.frozen_share,
        ),
    )
