"""Counts images that are already recognised less in the loss (Lin et al., Focal Loss, 2017)."""

from __future__ import annotations

from pydantic import Field

from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import CommonOptions


class Options(CommonOptions):
    """Options of the strategy.

    Attributes:
      gamma: 0 is plain cross-entropy; the paper's is 2.
    """

    gamma: float = Field(2.0, ge=0.0, le=10.0)


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    return options.apply_to(Phase(on="real", loss=Loss(name="focal", options={"gamma": options.gamma})))
