"""Counts images of rare classes more in the loss, by the inverse of the class count or its effective number.

The effective number of images is that of Cui et al., Class-Balanced Loss Based on Effective Number of Samples, 2019.
Weights of 1/n from the first step on are known to hurt where classes are many; `deferred` brings them in late.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from evenhand.config import check_effect
from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import CommonOptions


class Options(CommonOptions):
    """Options of the strategy.

    Attributes:
      by: `inverse` (of the count) or `effective_number`.
      beta: of the effective number, and refused with `inverse`; 0 weighs every class alike, towards 1 it becomes
        `inverse`.
    """

    by: Literal["inverse", "effective_number"] = "inverse"
    beta: float = Field(0.999, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _have_an_effect(self) -> Options:
        if self.by == "inverse":
            check_effect(self, ("beta",), "with by: inverse", "set by: effective_number")
        return self


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    loss = Loss(name="class_weight", options={"by": options.by, "beta": options.beta})
    return options.apply_to(Phase(on="real", loss=loss))
