"""Pretrains on synthetic images of every class, then fine-tunes on the real ones at a lower rate (S1).

S1 fine-tunes with plain cross-entropy, which brings back the class prior that pretraining on as many images of every
class had removed. So the default corrects it (`balanced_softmax`); `cross_entropy` is the paper's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evenhand.config import Section
from evenhand.models.phase import Phase


class Options(Section):
    """Options of the strategy.

    Attributes:
      pretrain_share: of the gradient steps, on synthetic images.
      fine_tune_learning_rate: factor on the learning rate while fine-tuning.
      fine_tune_loss: `balanced_softmax` (class counts of the real images beside the logits) or `cross_entropy` (S1).
    """

    pretrain_share: float = Field(0.3, gt=0.0, lt=1.0)
    fine_tune_learning_rate: float = Field(0.5, gt=0.0, le=1.0)
    fine_tune_loss: Literal["balanced_softmax", "cross_entropy"] = "balanced_softmax"


def phases(options: Options) -> tuple[Phase, ...]:
    """Two phases, the first on synthetic images and the second on real ones."""
    return (
        Phase(on="synthetic", share=options.pretrain_share, sampling="balanced"),
        Phase(
            on="real",
            share=1.0 - options.pretrain_share,
            loss=options.fine_tune_loss,
            learning_rate=options.fine_tune_learning_rate,
        ),
    )
