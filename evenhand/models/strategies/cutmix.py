"""Puts a box of one real image into another, and mixes their labels by its area (Yun et al., CutMix, 2019)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evenhand.config import Augmentation, Mixing
from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import AdjustmentOptions


class Options(AdjustmentOptions):
    """Options of the strategy.

    Attributes:
      loss: as everywhere.
      sampling: how images are drawn.
      augmentation: before the boxes; None takes `training.augmentation`.
      alpha: of the beta distribution of the area that is kept; 1 is uniform.
      probability: of an image to get a box.
    """

    loss: Loss = Loss()
    sampling: Literal["instance", "balanced", "sqrt"] = "instance"
    augmentation: Augmentation | None = None
    alpha: float = Field(1.0, gt=0.0, le=10.0)
    probability: float = Field(0.5, gt=0.0, le=1.0)


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    mixing = Mixing(kind="cutmix", alpha=options.alpha, probability=options.probability)
    phase = Phase(
        on="real",
        sampling=options.sampling,
        loss=options.loss,
        augmentation=options.augmentation,
        mixing=mixing,
    )
    return options.apply_to(phase)
