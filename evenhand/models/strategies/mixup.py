"""Mixes every real image with a synthetic one, and their labels alike (S1's MIXUP).

Its matched arm is plain mixup: the same mixtures with real images in the place of the synthetic ones.
"""

from __future__ import annotations

from pydantic import Field

from evenhand.config import Mixing
from evenhand.data.blend import Blend
from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import LossOptions


class Options(LossOptions):
    """Options of the strategy.

    Attributes:
      loss: with the class prior of the mixtures.
      mixing: how pairs of a real and a synthetic image are mixed.
      synthetic_share: of every batch before it is mixed; at 0.5 each image has a partner of its own.
    """

    loss: Loss = Loss(name="balanced_softmax")
    mixing: Mixing = Mixing(kind="mixup", alpha=0.2, pairs="across")
    synthetic_share: float = Field(0.5, gt=0.0, lt=1.0)


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on both."""
    return options.apply_to(Phase(on="both", blend=Blend(share=options.synthetic_share), loss=options.loss))
