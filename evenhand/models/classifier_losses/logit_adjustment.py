"""Logit-adjusted loss: `tau` times the log prior beside the logits (Menon et al., 2021, equation 10).

With `tau: 1` it is balanced softmax; with more, rare classes get a margin beyond what their rareness explains.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evenhand.config import Section
from evenhand.models.classifier_losses._terms import ABSENT, LossTerms, log_shares


class Options(Section):
    """Options of the loss.

    Attributes:
      tau: factor on the log prior; 0 is plain cross-entropy.
    """

    tau: float = Field(1.0, ge=0.0, le=10.0)


def terms(options: Options, counts: NDArray[np.floating]) -> LossTerms:
    """The terms of the loss.

    Args:
      options: tau.
      counts: [c], images of each class as the batches draw them.
    """
    prior = log_shares(counts)
    return LossTerms(
        np.where(counts > 0, options.tau * prior, ABSENT).astype(np.float32), np.ones(len(counts), np.float32)
    )
