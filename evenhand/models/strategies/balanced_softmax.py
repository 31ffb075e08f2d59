"""Trains on the real images as they come, with the class counts beside the logits in the loss.

Balanced softmax (Ren et al., Balanced Meta-Softmax for Long-Tailed Visual Recognition, 2020, equation 3).
"""

from __future__ import annotations

from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import CommonOptions


class Options(CommonOptions):
    """The common options."""


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    return options.apply_to(Phase(on="real", loss=Loss(name="balanced_softmax")))
