"""Keeps as many real images of each class as the rarest one has, chosen once at random (S3's RU)."""

from __future__ import annotations

from evenhand.models.phase import Phase
from evenhand.models.strategies._options import LossOptions


class Options(LossOptions):
    """The common options."""


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images that are kept."""
    return options.apply_to(Phase(on="real", sampling="undersample", loss=options.loss))
