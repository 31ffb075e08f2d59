"""The sections of a search: how long it may take and which fields it tunes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from evenhand.config.classification import OwnTraining, Strategy, Training
from evenhand.config.section import Section
from evenhand.errors import plain_words

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
OWN_FIELDS = tuple(OwnTraining.model_fields)
"""The fields of `training` that a strategy may set for itself; the others are the budget, which all share."""
MOST_TRIALS = 1000
"""Settings of each strategy, drawn or all combinations, beyond which no budget would do."""


def duration_seconds(text: str) -> int:
    """Seconds of a duration such as `90s`, `30m`, `2h` or `1h30m`.

    Raises:
      ValueError: if it is none, or zero.
    """
    match = _DURATION.fullmatch(text.strip())
    parts = [int(part or 0) for part in match.groups()] if match else [0]
    seconds = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    if not seconds:
        raise ValueError(f"{text!r} is no duration; write 90s, 30m, 2h or 1h30m")
    return seconds


class Range(Section):
    """Numbers between two bounds.

    Attributes:
      low: lower bound.
      high: upper bound.
      scale: `linear` draws them uniformly, `log` uniformly in their logarithm.
    """

    low: float
    high: float
    scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low must be less than high, not {self.low:g} and {self.high:g}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"on a log scale low must be above 0, not {self.low:g}")
        if math.isinf(self.high - self.low):
            raise ValueError(f"low and high lie too far apart: {self.low:g} and {self.high:g}")
        return self


class Tuning(Section):
    """Which fields are searched, alike for every strategy.

    Attributes:
      fields: dotted path -> the values to try, or `{low, high, scale}`. Paths lead to `training.learning_rate`, into
        `training.augmentation`, or to `strategies.<name>.options.<option>`.
      trials: settings of each strategy; None tries every combination of the values.
    """

    fields: dict[str, tuple[Any, ...] | Range]
    trials: int | None = Field(None, ge=2, le=MOST_TRIALS)

    @field_validator("fields", mode="before")
    @classmethod
    def _values(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not given:
            raise ValueError("name at least one field and its values, e.g. training.learning_rate: [0.001, 0.003]")
        return {str(path): _values_of(str(path), values) for path, values in given.items()}

    @model_validator(mode="after")
    def _number_of_trials(self) -> Tuning:
        if self.trials is None and any(isinstance(values, Range) for values in self.fields.values()):
            raise ValueError("a range has no number of values: set tuning.trials")
        return self

    @property
    def shared(self) -> dict[str, tuple[Any, ...] | Range]:
        """The fields that every strategy has: those of `training`."""
        return {path: values for path, values in self.fields.items() if path.startswith("training.")}

    def own(self, strategy: str) -> dict[str, tuple[Any, ...] | Range]:
        """The options of a strategy's own."""
        return {path: values for path, values in self.fields.items() if strategy_option(path)[0] == strategy}


def strategy_option(path: str) -> tuple[str, str]:
    """Strategy and option of `strategies.<name>.options.<option>`, whose name may be dotted; empty where it is none."""
    section, _, rest = path.partition(".")
    name, _, option = rest.partition(".options.")
    return (name, option) if section == "strategies" and name and option else ("", "")


def samples(values: tuple[Any, ...] | Range) -> tuple[Any, ...]:
    """What a check of the values tries: all of a list; of a range a fraction, as its draws are, and the bounds."""
    if not isinstance(values, Range):
        return values
    # The middle, unless it is a whole number.
    width = values.high - values.low
    middle = values.low + width / 2
    fraction = middle if middle % 1 else values.low + width / math.pi
    return (fraction, values.low, values.high)


ONLY_WHOLE = "takes whole numbers only, and a range gives fractions"
"""What is said of a field whose range `wants_whole_numbers`."""


def wants_whole_numbers(values: tuple[Any, ...] | Range, error: Exception) -> bool:
    """Whether a range was refused since it gives fractions.

    Args:
      values: that were tried.
      error: about one of them, which came of a `ValidationError`.
    """
    cause = error.__cause__
    is_fraction = isinstance(cause, ValidationError) and cause.errors()[0]["type"] == "int_from_float"
    return isinstance(values, Range) and is_fraction


def _values_of(path: str, values: Any) -> Any:
    if isinstance(values, list | tuple):
        if not values or any(value in values[:index] for index, value in enumerate(values)):
            raise ValueError(f"{path} needs values that differ, not {list(values)!r}")
        return tuple(values)
    if isinstance(values, Mapping):
        try:
            return Range.model_validate(dict(values))
        except ValidationError as error:
            problem = error.errors()[0]
            key = ".".join(str(part) for part in problem["loc"])
            raise ValueError(f"{path}: {key + ': ' if key else ''}{plain_words(problem['msg'])}") from error
    if isinstance(values, Range):
        return values
    raise ValueError(f"{path} needs a list of values, or low and high, not {values!r}")


def own_training(training: Training, values: Mapping[str, Any]) -> OwnTraining | None:
    """What a strategy sets for itself where fields of `training` take other values.

    Args:
      training: the run's.
      values: dotted path below the config -> value; paths that do not lead into `training` are passed over.

    Raises:
      ValueError: naming the path, if there is no such field, or its value is not possible.
    """
    changed: dict[str, Any] = {}
    for path, value in values.items():
        section, *keys = path.split(".")
        if section != "training":
            continue
        if not keys or keys[0] not in OWN_FIELDS:
            raise ValueError(f"{path} cannot be tuned: every strategy gets the same; tune training.learning_rate, say")
        standing = training.model_dump(mode="json")[keys[0]] if keys[0] not in changed else changed[keys[0]]
        try:
            # None is "as the run has it" in a strategy of its own, but none at all among the values to try.
            given = {} if value is None and keys == ["augmentation"] else value
            changed[keys[0]] = _replaced(standing, keys[1:], given)
            OwnTraining.model_validate(changed)
        except (ValidationError, TypeError) as error:
            problem = plain_words(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)
            raise ValueError(f"{path} cannot be {value!r}: {problem}") from error
    return OwnTraining.model_validate(changed) if changed else None


def _replaced(standing: Any, keys: Sequence[str], value: Any) -> Any:
    if not keys:
        return value
    if standing is not None and not isinstance(standing, Mapping):
        raise TypeError(f"there is no {keys[0]} below it")
    below = dict(standing or {})
    return {**below, keys[0]: _replaced(below.get(keys[0]), keys[1:], value)}


def check_tuning(tuning: Tuning, training: Training, strategies: Sequence[Strategy]) -> None:
    """Checks every path and value of a tuning that can be checked without the strategies' own options.

    Args:
      tuning: of the run.
      training: of the run.
      strategies: of the run; none where they are searched for.

    Raises:
      ValueError: naming the path.
    """
    names = [strategy.name for strategy in strategies]
    for path, values in tuning.fields.items():
        if path.startswith("training."):
            _check_training(path, values, training)
            continue
        name, option = strategy_option(path)
        if not name:
            raise ValueError(
                f"{path} cannot be tuned; tune training.learning_rate, training.augmentation or "
                "strategies.<name>.options.<option>"
            )
        if names and name not in names:
            raise ValueError(f"{path}: {name} is not among the strategies ({', '.join(names)})")
        if "." in option:
            whole = path[: -len(option)] + option.partition(".")[0]
            raise ValueError(f"{path} cannot be tuned, as it is but a part of an option: list values of {whole}")


def _check_training(path: str, values: tuple[Any, ...] | Range, training: Training) -> None:
    for value in samples(values):
        try:
            own_training(training, {path: value})
        except ValueError as error:
            if wants_whole_numbers(values, error):
                raise ValueError(f"{path} {ONLY_WHOLE}: list the values to try") from error
            raise
