"""Focal loss: images that are already recognised count less, by (1 - p)^gamma (Lin et al., 2017, equation 4)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evenhand.config import Section
from evenhand.models.classifier_losses._terms import LossTerms


class Options(Section):
    """Options of the loss.

    Attributes:
      gamma: 0 is plain cross-entropy; the paper's is 2.
    """

    gamma: float = Field(2.0, ge=0.0, le=10.0)


def terms(options: Options, counts: NDArray[np.floating]) -> LossTerms:
    """The terms of the loss.

    Args:
      options: gamma.
      counts: [c], images of each class; only their number matters.
    """
    return replace(LossTerms.plain(len(counts)), focusing=options.gamma)
