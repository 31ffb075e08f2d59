"""How many images a filter keeps that ranks those of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from evenhand.config import Section
from evenhand.evaluation.filtering import Decision, best_of_each_class

DEFAULT_SHARE = 0.5


class Best(Section):
    """How much of each class is kept; without either option, half of it.

    Attributes:
      keep: share of each class.
      top_k: images of each class, instead of a share.
    """

    keep: float | None = Field(None, gt=0.0, le=1.0)
    top_k: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _one_of_them(self) -> Best:
        if self.keep is not None and self.top_k is not None:
            raise ValueError("keep and top_k exclude each other")
        return self


def best(scores: ArrayLike, labels: ArrayLike, options: Best) -> Decision:
    """Keeps the images with the highest scores of each class.

    Args:
      scores: float[n].
      labels: int[n].
      options: how many.
    """
    share = options.keep if options.top_k is not None else options.keep or DEFAULT_SHARE
    kept = best_of_each_class(scores, labels, keep=share, top_k=options.top_k)
    return Decision(np.asarray(scores), kept)
