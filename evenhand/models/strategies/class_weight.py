"""Counts images of rare classes more in the loss, by the inverse of the class count or its effective number.

The effective number of images is that of Cui et al., Class-Balanced Loss Based on Effective Number of Samples, 2019.
Weights of 1/n from the first step on are known to hurt where classes are many; `deferred` brings them in late.
"""

from __future__ import annotations

from evenhand.models.classifier_losses import class_weight
from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import CommonOptions


class Options(CommonOptions, class_weight.Options):
    """Options of the strategy: those of the loss `class_weight`, and what strategies have in common."""


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    loss = Loss(name="class_weight", options={"by": options.by, "beta": options.beta})
    return options.apply_to(Phase(on="real", loss=loss))
