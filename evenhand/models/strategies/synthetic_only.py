"""Trains on synthetic images alone, which S1 reports to fail: a control, never pushed."""

from __future__ import annotations

from evenhand.models.phase import Phase
from evenhand.models.strategies._options import LossOptions

IS_CONTROL = True


class Options(LossOptions):
    """The common options."""


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the synthetic images."""
    return options.apply_to(Phase(on="synthetic", sampling="balanced", loss=options.loss))
