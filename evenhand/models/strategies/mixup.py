"""Mixes every real image with a synthetic one, and their labels alike (S1's MIXUP).

Its matched arm is plain mixup: the same mixtures with real images in the place of the synthetic ones.
"""

from __future__ import annotations

from pydantic import Field, field_validator

from evenhand.config import Mixing
from evenhand.data.blend import Blend
from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import LossOptions


class Options(LossOptions):
    """Options of the strategy.

    Attributes:
      loss: with the class prior of the mixtures.
      mixing: how pairs are mixed: of a real and a synthetic image, unless `pairs` says otherwise.
      synthetic_share: of every batch before it is mixed; at 0.5 each image has a partner of its own.
    """

    loss: Loss = Loss(name="balanced_softmax")
    mixing: Mixing = Mixing(kind="mixup", alpha=0.2, pairs="across")
    synthetic_share: float = Field(0.5, gt=0.0, lt=1.0)

    @field_validator("mixing")
    @classmethod
    def _across_unless_given(cls, mixing: Mixing) -> Mixing:
        # Who sets another field has not asked for the pairs that `Mixing` has by default.
        return mixing if "pairs" in mixing.model_fields_set else mixing.model_copy(update={"pairs": "across"})


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on both."""
    return options.apply_to(Phase(on="both", blend=Blend(share=options.synthetic_share), loss=options.loss))
