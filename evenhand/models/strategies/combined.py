"""Fills every class up to the largest one with synthetic images and trains on all of them as they come (S2, S3).

S2 also rotates and mirrors: `augmentation: {rotation: 90, flip: true}`. Take enough images, as a class that lacks more
than it has synthetic ones repeats them: `synthetic.per_class: balance` draws just what is lacking.
"""

from __future__ import annotations

from pydantic import Field

from evenhand.data.blend import Blend
from evenhand.models.phase import Phase
from evenhand.models.strategies._options import LossOptions


class Options(LossOptions):
    """Options of the strategy.

    Attributes:
      most: synthetic images of a class, at most so many times its real ones; None fills up to balance.
    """

    most: float | None = Field(None, gt=0.0)


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on both."""
    return options.apply_to(Phase(on="both", blend=Blend(share="balance", most=options.most), loss=options.loss))
