"""Trains with `tau` times the log class prior beside the logits (Menon et al., Logit Adjustment, 2021).

With `tau: 1` it is `balanced_softmax`; the default gives rare classes a little more.
"""

from __future__ import annotations

from pydantic import Field

from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import CommonOptions


class Options(CommonOptions):
    """Options of the strategy.

    Attributes:
      tau: factor on the log prior.
    """

    tau: float = Field(1.5, ge=0.0, le=10.0)


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    return options.apply_to(Phase(on="real", loss=Loss(name="logit_adjustment", options={"tau": options.tau})))
