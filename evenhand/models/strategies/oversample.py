"""Draws real images of rare classes as often as those of common ones (S3's RO).

Each batch draws its classes first, all with the same probability, then an image of the class: an image of a rare class
is seen more often, and no class prior is learned.
"""

from __future__ import annotations

from typing import Literal

from evenhand.models.phase import Phase
from evenhand.models.strategies._options import LossOptions


class Options(LossOptions):
    """Options of the strategy.

    Attributes:
      sampling: `balanced` draws every class alike; `sqrt` by the square root of its count, half-way to `balanced`.
    """

    sampling: Literal["balanced", "sqrt"] = "balanced"


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    return options.apply_to(Phase(on="real", sampling=options.sampling, loss=options.loss))
