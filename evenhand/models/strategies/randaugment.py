"""Trains on the real images under RandAugment instead of the run's own augmentation (Cubuk et al., 2020)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evenhand.config import Augmentation, Mixing, RandAugment
from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import AdjustmentOptions


class Options(AdjustmentOptions):
    """Options of the strategy.

    Attributes:
      loss: as everywhere.
      sampling: how images are drawn.
      mixing: of pairs of images, after the augmentation.
      operations: how many an image goes through.
      magnitude: their strength, in [0, 1].
    """

    loss: Loss = Loss()
    sampling: Literal["instance", "balanced", "sqrt"] = "instance"
    mixing: Mixing | None = None
    operations: int = Field(2, ge=1, le=8)
    magnitude: float = Field(0.3, ge=0.0, le=1.0)


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    strength = RandAugment(operations=options.operations, magnitude=options.magnitude)
    augmentation = Augmentation(rand_augment=strength)
    phase = Phase(
        on="real",
        sampling=options.sampling,
        loss=options.loss,
        augmentation=augmentation,
        mixing=options.mixing,
    )
    return options.apply_to(phase)
