"""The images of each class that look most real to the network that the generator was trained against.

A discriminator's score compares images of one generator, not generators; after a long training it may tell little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenhand.evaluation.filtering import Decision
from evenhand.models.filters._best import Best, best

if TYPE_CHECKING:
    from evenhand.models.filter_candidates import Candidates

NEEDS = ("generator",)


class Options(Best):
    """Options of `discriminator_score`: `keep` or `top_k`."""


def keep(candidates: Candidates, options: Options) -> Decision:
    """Ranks by the score of the discriminator or critic."""
    return best(candidates.realness, candidates.labels, options)
