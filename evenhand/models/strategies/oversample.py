"""Draws real images of rare classes as often as those of common ones.

Each batch draws its classes first, all with the same probability, then an image of the class: an image of a rare class
is seen more often, and no class prior is learned.
"""

from __future__ import annotations

from typing import Literal

from evenhand.config import Section
from evenhand.models.phase import Phase


class Options(Section):
    """Options of the strategy.

    Attributes:
      sampling: `balanced` draws every class alike; `sqrt` by the square root of its count, half-way to `balanced`.
    """

    sampling: Literal["balanced", "sqrt"] = "balanced"


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    return (Phase(on="real", sampling=options.sampling),)
