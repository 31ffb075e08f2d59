"""What a search takes down of the contestants that it halved: each trial, and where the images could not decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Generator, Strategy
from evenhand.evaluation import validation_ranking
from evenhand.models.arms import Arm
from evenhand.models.search.halving import Halving, Trial
from evenhand.models.search.trial import Correct, TrialImages
from evenhand.models.search.tuned_fields import Setting
from evenhand.report.search_part import SearchRound, Stage, Tried


@dataclass(frozen=True)
class Contestant:
    """What is trained under one name of the field.

    Attributes:
      strategy: with the values of its setting.
      arm: that it is in a run.
      images: that it learns from.
      generator: of its synthetic images; None where it uses none.
      setting: what is tuned; empty elsewhere.
      is_configured: whether the setting is what the config has anyway.
    """

    strategy: Strategy
    arm: Arm
    images: TrialImages
    generator: Generator | None = None
    setting: Setting = field(default_factory=dict)
    is_configured: bool = False

    @property
    def name(self) -> str:
        """Of the contestant, in words."""
        made = f" on {self.generator.name}" if self.generator is not None else ""
        values = ", ".join(f"{path.rpartition('.')[2]} {value}" for path, value in self.setting.items())
        return f"{self.strategy.name}{made}{f' with {values}' if values else ''}"


def tried(
    stage: Stage, contestants: Mapping[str, Contestant], found: Halving[Correct], labels: NDArray[np.integer]
) -> list[Tried]:
    """Every contestant with its trials.

    Args:
      stage: of the search.
      contestants: by name.
      found: what became of them.
      labels: int[n], true classes of the validation images.
    """
    return [
        Tried(
            stage=stage,
            strategy=one.strategy.name,
            generator=one.generator.name if one.generator is not None else None,
            options=one.strategy.options,
            setting=dict(one.setting),
            rounds=tuple(
                _round(round_.steps, round_.trials[name], labels) for round_ in found.rounds if name in round_.trials
            ),
            fate="kept" if name in found.standing else found.dropped[name],
        )
        for name, one in contestants.items()
    ]


def _round(steps: int, trial: Trial[Correct], labels: NDArray[np.integer]) -> SearchRound:
    score = trial.score
    return SearchRound(
        steps=steps,
        seconds=trial.seconds,
        score=None if score is None else validation_ranking.mean_recall(labels, score),
        standard_error=None if score is None else validation_ranking.standard_error(labels, score),
    )


def undecided(stage: Stage, contestants: Mapping[str, Contestant], found: Halving[Correct]) -> list[str]:
    """A note where the images could not tell contestants from the best of their group, in the last round that it had.

    Args:
      stage: of the search.
      contestants: by name.
      found: what became of them.
    """
    last = {group: round_ for round_ in found.rounds for group in round_.near_best}
    groups = [group for group, round_ in last.items() if round_.near_best[group] > 1]
    if not groups:
        return []
    if stage == "tuning":
        if len(found.standing) < len({one.strategy.name for one in contestants.values()}):
            return []  # Nothing is decided where a strategy could not be tried.
        return [
            f"Tuning: settings of {', '.join(groups)} could not be told apart in the last round, as they were within "
            "one standard error of the best; the highest score decided among them."
        ]
    [group] = groups
    return [
        f"{stage.capitalize()}: {last[group].near_best[group]} of {len(last[group].trials)} in the last round were "
        "within one standard error of the best, and the order of the ladder decided among them."
    ]
