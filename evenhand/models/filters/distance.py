"""All images but those that are too near to a training image: copies, as the audit finds them (see `copies`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from evenhand.config import Section
from evenhand.evaluation.filtering import Decision

if TYPE_CHECKING:
    from evenhand.models.filter_candidates import Candidates

NEEDS = ("classifier",)


class Options(Section):
    """Options of `distance`.

    Attributes:
      false_alarms: share of fresh real images that would go too; higher drops what is merely similar.
      spaces: where images are compared: their pixels, mirrored and moved too, and the baseline's features.
    """

    false_alarms: float = Field(0.01, gt=0.0, lt=0.5)
    spaces: tuple[Literal["pixels", "features"], ...] = Field(("pixels", "features"), min_length=1)


def keep(candidates: Candidates, options: Options) -> Decision:
    """Drops what the audit flags; the score is the lowest relative distance to a training image, 0 for a copy."""
    audit = candidates.copies(false_alarms=options.false_alarms, spaces=options.spaces)
    return Decision(np.min([nearness.scores for nearness in audit.spaces.values()], axis=0), ~audit.flagged)
