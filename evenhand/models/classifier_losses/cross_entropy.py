"""Plain cross-entropy: every image counts alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Section
from evenhand.models.classifier_losses._terms import LossTerms


class Options(Section):
    """There is nothing to choose."""


def terms(options: Options, counts: NDArray[np.floating]) -> LossTerms:
    """The terms of the loss.

    Args:
      options: none.
      counts: [c], images of each class as the batches draw them.
    """
    del options
    return LossTerms.plain(len(counts))
