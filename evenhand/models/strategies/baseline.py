"""Trains on the real images as they come, with plain cross-entropy: what every strategy is measured against."""

from __future__ import annotations

from evenhand.config import Section
from evenhand.models.phase import Phase


class Options(Section):
    """There is nothing to choose."""


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    del options
    return (Phase(on="real"),)
