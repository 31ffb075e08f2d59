"""The images of each class that the baseline is least sure about: the informative ones (S4, equations 7 to 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from evenhand.evaluation.filtering import Decision
from evenhand.evaluation.uncertainty import MEASURES
from evenhand.models.filters._best import Best, best

if TYPE_CHECKING:
    from evenhand.models.filter_candidates import Candidates

NEEDS = ("classifier",)


class Options(Best):
    """Options of `uncertainty`: `keep` or `top_k`, and the measure.

    Attributes:
      measure: which of S4's four.
    """

    measure: Literal["least_confidence", "margin_of_confidence", "ratio_of_confidence", "entropy"] = "entropy"


def keep(candidates: Candidates, options: Options) -> Decision:
    """Ranks by how unsure the baseline is."""
    return best(MEASURES[options.measure](candidates.probabilities), candidates.labels, options)
