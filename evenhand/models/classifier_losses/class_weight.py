"""Cross-entropy with a weight for each class: by the inverse of its count, or of its effective number of images.

The effective number of n images is (1 - beta^n) / (1 - beta): the more there are, the less another one adds (Cui et
al., Class-Balanced Loss Based on Effective Number of Samples, 2019, equation 2). The weights have a mean of 1 over the
training images; `inverse` is then what scikit-learn calls `balanced`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from evenhand.config import Section, check_effect
from evenhand.models.classifier_losses._terms import LossTerms, with_mean_one


class Options(Section):
    """Options of the loss.

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


def terms(options: Options, counts: NDArray[np.floating]) -> LossTerms:
    """The terms of the loss.

    Args:
      options: how the weights follow from the counts.
      counts: [c], images of each class as the batches draw them.
    """
    counts = np.asarray(counts, np.float64)
    number = np.maximum(counts, 1e-12)
    if options.by == "effective_number":
        # 1 - beta^n without the loss of digits for beta near 1; beta 0 has an effective number of 1 throughout.
        number = -np.expm1(number * np.log(options.beta)) if options.beta else np.ones_like(number)
    return LossTerms(np.zeros(len(counts), np.float32), with_mean_one(1.0 / number, counts))
