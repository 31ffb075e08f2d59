"""Trains on the real images as they come, with the class counts beside the logits in the loss.

Balanced softmax (Ren et al., Balanced Meta-Softmax for Long-Tailed Visual Recognition, 2020, equation 3).
"""

from __future__ import annotations

from evenhand.config import Section
from evenhand.models.phase import Phase


class Options(Section):
    """There is nothing to choose."""


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images."""
    del options
    return (Phase(on="real", loss="balanced_softmax"),)
