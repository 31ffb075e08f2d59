"""Trains on the real images as they come, with plain cross-entropy: what every strategy is measured against."""

from __future__ import annotations

from evenhand.models.phase import Phase
from evenhand.models.strategies._options import AdjustmentOptions


class Options(AdjustmentOptions):
    """The option that all networks have; with it, all strategies are measured against the adjusted network."""


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    return options.apply_to(Phase(on="real"))
