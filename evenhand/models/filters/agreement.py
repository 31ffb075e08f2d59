"""The images of which the baseline says the class that they were made for.

A baseline that never says a rare class leaves none of its images: look at the counts, or allow more guesses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from evenhand.config import Section
from evenhand.evaluation.filtering import Decision

if TYPE_CHECKING:
    from evenhand.models.filter_candidates import Candidates

NEEDS = ("classifier",)


class Options(Section):
    """Options of `agreement`.

    Attributes:
      guesses: the class must be among that many that the baseline finds likeliest.
    """

    guesses: int = Field(1, ge=1)


def keep(candidates: Candidates, options: Options) -> Decision:
    """Keeps an image if fewer than `guesses` classes are likelier than its own; the score is its own's probability."""
    probabilities = candidates.probabilities
    own = probabilities[np.arange(len(probabilities)), candidates.labels]
    likelier = (probabilities > own[:, None]).sum(axis=1)
    return Decision(own, likelier < options.guesses)
