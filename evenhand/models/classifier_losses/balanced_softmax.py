"""Balanced softmax: the class prior of the training images stands beside the logits (Ren et al., 2020, equation 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Section
from evenhand.models.classifier_losses._terms import LossTerms, log_shares


class Options(Section):
    """There is nothing to choose."""


def terms(options: Options, counts: NDArray[np.floating]) -> LossTerms:
    """The terms of the loss.

    Args:
      options: none.
      counts: [c], images of each class as the batches draw them; where all are alike it is plain cross-entropy.
    """
    del options
    return LossTerms(log_shares(counts), np.ones(len(counts), np.float32))
