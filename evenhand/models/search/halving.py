"""Successive halving within a budget of time (Jamieson and Talwalkar, AISTATS 2016; Li et al., Hyperband, 2018).

Every round trains all that is left of the field for the same number of gradient steps, each from the beginning, and
drops the worse half. All rounds get the same share of the time that is left, so that those that remain are trained
longer. KerasTuner's Hyperband does the same by epochs, but it owns the training, knows no wall-clock time and ranks by
the bare score; this is a function of what `train` and `rank` say, so that a search goes on from trials on the disk.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Score = TypeVar("Score")

LATE = "it was not done when the time was over"
"""The failure of a training that was good and had too little time."""


@dataclass(frozen=True)
class Trial(Generic[Score]):
    """What came of training one contestant.

    Attributes:
      seconds: it took.
      score: anything that `rank` can read; None where the training did not end.
      failure: why it did not, in words.
    """

    seconds: float
    score: Score | None
    failure: str | None = None


@dataclass(frozen=True)
class Round(Generic[Score]):
    """One round of a search.

    Attributes:
      steps: gradient steps of each trial.
      trials: by contestant, in the order in which they were trained.
      near_best: group -> how many of its contestants could not be told from its best; without the groups of which the
        round says nothing.
    """

    steps: int
    trials: Mapping[str, Trial[Score]]
    near_best: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Halving(Generic[Score]):
    """A finished search.

    Attributes:
      standing: contestants left at the end, the best first; none where no training ended within the budget.
      dropped: why each of the others was dropped.
      rounds: in order.
      seconds: spent in all, those of finding out how fast the training is included.
    """

    standing: tuple[str, ...]
    dropped: Mapping[str, str]
    rounds: tuple[Round[Score], ...]
    seconds: float


@dataclass(frozen=True)
class Limits:
    """What bounds a search.

    Attributes:
      seconds: of wall-clock time in all.
      least_steps: gradient steps under which a trial says nothing.
      full_steps: gradient steps of the training that the search is for; no trial has more.
      keep: contestants that are left at the end, of each group.
    """

    seconds: float
    least_steps: int
    full_steps: int
    keep: int = 1


Train = Callable[[str, int, float], Trial[Score]]
"""Trains a contestant for so many steps within so many seconds."""

Rank = Callable[[Mapping[str, Score]], tuple[Sequence[str], int]]
"""Contestants, the best first, and how many of them cannot be told from the best."""


def halve(groups: Mapping[str, str], train: Train[Score], rank: Rank[Score], limits: Limits) -> Halving[Score]:
    """Trains the field, drops the worse half of each group, trains the rest longer, and so on.

    A trial is begun only while it is expected to end within the budget, by how long those before took; `train` is told
    how much is left and should stop there. The same calls of `train` with the same outcomes lead to the same result.

    Args:
      groups: contestant -> its group, in the order in which they are tried; halving is within groups.
      train: trains one contestant.
      rank: ranks the scores of one round, of one group at a time.
      limits: of time, steps and how many to keep.

    Raises:
      ValueError: if there is no contestant.
    """
    if not groups:
        raise ValueError("there is no contestant to train")
    search = _Search(dict(groups), train, rank, limits)
    search.probe()
    sizes = Counter(groups.values())
    for rounds_left in range(num_rounds(max(sizes.values()), limits.keep), 0, -1):
        search.round(rounds_left)
    return search.result()


def num_rounds(contestants: int, keep: int = 1) -> int:
    """Rounds until at most `keep` are left, when each drops the worse half; one where nobody need be dropped."""
    return max(1, math.ceil(math.log2(max(contestants, 1) / keep)))


class _Search(Generic[Score]):
    """The state of a search between its rounds."""

    def __init__(self, groups: dict[str, str], train: Train[Score], rank: Rank[Score], limits: Limits) -> None:
        self._groups, self._train, self._rank, self._limits = groups, train, rank, limits
        self._standing = list(groups)
        self._dropped: dict[str, str] = {}
        self._rounds: list[Round[Score]] = []
        self._trials: dict[tuple[str, int], Trial[Score]] = {}
        self._rates: dict[str, float] = {}
        self._places: dict[str, str] = {}
        self._spent = 0.0

    @property
    def _left(self) -> float:
        return self._limits.seconds - self._spent

    def probe(self) -> None:
        """Finds out how long a step takes: twice, as the first training also compiles."""
        first = self._standing[0]
        for steps in (self._limits.least_steps, min(2 * self._limits.least_steps, self._limits.full_steps)):
            if self._left > 0:
                self._run(first, steps)

    def round(self, rounds_left: int) -> None:
        """Trains what is left of the field for as long as this round's share of the time allows, and drops some."""
        if not self._standing:
            return
        steps = self._affordable(self._left / rounds_left)
        if self._rounds and steps == self._rounds[-1].steps:
            self._cut()
            return
        trials: dict[str, Trial[Score]] = {}
        for name in self._standing:
            expected = 0.0 if (name, steps) in self._trials else steps * self._rate(name)
            if self._left > 0 and expected <= self._left:
                trials[name] = self._run(name, steps)
        self._drop(steps, trials)

    def result(self) -> Halving[Score]:
        """What came of it; where the time was over before the last round, the order of the round before decides."""
        standing = []
        for members in self._members():
            standing += members[: self._limits.keep]
            for name in members[self._limits.keep :]:
                self._dropped[name] = f"{self._places[name]}, and no time for another round"
        return Halving(tuple(standing), self._dropped, tuple(self._rounds), self._spent)

    def _members(self) -> list[list[str]]:
        """What is left of each group."""
        groups: dict[str, list[str]] = {}
        for name in self._standing:
            groups.setdefault(self._groups[name], []).append(name)
        return list(groups.values())

    def _run(self, name: str, steps: int) -> Trial[Score]:
        known = self._trials.get((name, steps))
        if known is not None:
            return known
        trial = self._train(name, steps, self._left)
        self._spent += trial.seconds
        self._trials[name, steps] = trial
        if trial.score is not None:
            self._rates[name] = trial.seconds / steps
        return trial

    def _rate(self, name: str) -> float:
        """Seconds of a gradient step: the contestant's own, else the median of those seen.

        Not the slowest, whose seconds may be those of its tracing: what is slower than expected is stopped in time.
        """
        if name in self._rates:
            return self._rates[name]
        return statistics.median(self._rates.values()) if self._rates else 0.0

    def _affordable(self, seconds: float) -> int:
        """Steps of the next round: as many as fit, never fewer than in the round before."""
        rate = sum(self._rate(name) for name in self._standing)
        fitting = int(seconds / rate) if rate else self._limits.least_steps
        before = self._rounds[-1].steps if self._rounds else self._limits.least_steps
        return min(max(fitting, before), self._limits.full_steps)

    def _cut(self) -> None:
        """Drops the worse half by the round before, where another one would only repeat it."""
        standing: list[str] = []
        for members in self._members():
            kept = max(self._limits.keep, math.ceil(len(members) / 2))
            standing += members[:kept]
            self._dropped.update({name: self._places[name] for name in members[kept:]})
        self._standing = standing

    def _drop(self, steps: int, trials: dict[str, Trial[Score]]) -> None:
        """Ends a round: those without a score go, and of each group the worse half of the others."""
        standing: list[str] = []
        near_best: dict[str, int] = {}
        ended = {name for name, trial in trials.items() if trial.score is not None or trial.failure != LATE}
        # Where the time ends amid a round, no group has more trials than another.
        equal = min(sum(name in ended for name in members) for members in self._members())
        for members in self._members():
            tried = [name for name in members if name in ended][:equal]
            scores = {name: score for name in tried if (score := trials[name].score) is not None}
            if not scores and self._rounds:
                # The round before decides, but for those that broke.
                broken = {name: trials[name].failure for name in tried}
                self._dropped.update({name: f"round {len(self._rounds) + 1}: {why}" for name, why in broken.items()})
                standing += [name for name in members if name not in broken]
                continue
            order: Sequence[str] = ()
            if scores:
                order, near_best[self._groups[members[0]]] = self._rank(scores)
            for place, name in enumerate(order, 1):
                self._places[name] = f"round {len(self._rounds) + 1}: place {place} of {len(order)}"
            kept = order[: max(self._limits.keep, math.ceil(len(members) / 2))]
            standing += kept
            for name in members:
                if name not in kept:
                    failure = trials[name].failure if name in trials else None
                    reason = f"round {len(self._rounds) + 1}: {failure or 'no time left'}"
                    self._dropped[name] = self._places[name] if name in order else reason
        if trials:
            self._rounds.append(Round(steps, trials, near_best))
        self._standing = standing
