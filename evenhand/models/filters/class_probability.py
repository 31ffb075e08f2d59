"""The images of each class that the baseline finds likeliest to be of it (S1's top-K).

S1 found that this improved nothing, since variety mattered more than the quality of single images: hence no filter by
default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evenhand.evaluation.filtering import Decision
from evenhand.models.filters._best import Best, best

if TYPE_CHECKING:
    from evenhand.models.filter_candidates import Candidates

NEEDS = ("classifier",)


class Options(Best):
    """Options of `class_probability`: `keep` or `top_k`."""


def keep(candidates: Candidates, options: Options) -> Decision:
    """Ranks by the baseline's probability of the class that an image was made for."""
    labels = candidates.labels
    return best(candidates.probabilities[np.arange(len(labels)), labels], labels, options)
