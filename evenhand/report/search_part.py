"""What a search for strategies tried, as it stands in `search.json` and in the result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from evenhand.report.part import Count, Part, Share

FILE_NAME = "search.json"

Stage = Literal["remedies", "synthetic images", "tuning"]


class SearchRound(Part):
    """One trial of a strategy: trained from the beginning for so many steps."""

    steps: Count
    """Gradient steps, pretraining counted."""
    seconds: float = Field(ge=0.0)
    """Wall-clock time it took."""
    score: Share | None = None
    """Balanced accuracy on the validation split; null where the training did not end."""
    standard_error: Share | None = None
    """Of the score, from the number of validation images."""


class Tried(Part):
    """One strategy that was tried, with one setting of its fields."""

    stage: Stage
    """Which part of the search it was tried in."""
    strategy: str
    """Its name."""
    generator: str | None = None
    """The generator of its synthetic images; null if it uses none."""
    options: dict[str, Any] = {}
    """Its options."""
    setting: dict[str, Any] = {}
    """What was tuned: dotted path and value."""
    rounds: tuple[SearchRound, ...] = ()
    """Its trials, the shortest first."""
    fate: str
    """`kept`, or why it was dropped."""


class TriedGenerator(Part):
    """A generator that was trained for the search."""

    name: str
    """Its name."""
    seconds: float = Field(ge=0.0)
    """Wall-clock time of its training and drawing."""
    fate: str
    """`trained`, or why it was not."""


class SearchPart(Part):
    """What a search tried, for how long, and what it settled on."""

    budget: str
    """Wall-clock time that it was given."""
    seconds: float = Field(ge=0.0)
    """Wall-clock time that it used, earlier attempts included."""
    validation_images: Count
    """Images that decided."""
    smallest_class: Count
    """Validation images of the class with fewest, among those that have any."""
    tried: tuple[Tried, ...]
    """Every strategy that was tried, in the order of the search."""
    generators: tuple[TriedGenerator, ...] = ()
    """Every generator that was tried."""
    chosen: tuple[str, ...]
    """The strategies that it settled on; they are then trained in full."""
    notes: tuple[str, ...] = ()
    """What must be known to read it, in words."""
    settled: str
    """Digest of the config that it settled on."""

    @classmethod
    def load(cls, output: str | os.PathLike[str], settled: str) -> SearchPart | None:
        """The search of a run, if there was one and the run's config is what it settled on.

        Args:
          output: the output folder of the run.
          settled: digest of the run's resolved config.
        """
        file = Path(output) / FILE_NAME
        if not file.is_file():
            return None
        part = cls.model_validate_json(file.read_bytes())
        return part if part.settled == settled else None
