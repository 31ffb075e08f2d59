"""The sections of a search: how long it may take and which fields it tunes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from evenhand.config.classification import OwnTraining, Strategy, Training
from evenhand.config.section import Section
from evenhand.errors import plain_words

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
OWN_FIELDS = tuple(OwnTraining.model_fields)
"""The fields of `training` that a strategy may set for itself; the others are the budget, which all share."""


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
        return self


class Tuning(Section):
    """Which fields are searched, alike for every strategy.

    Attributes:
      fields: dotted path -> the values to try, or `{low, high, scale}`. Paths lead to `training.learning_rate`, into
        `training.augmentation`, or to `strategies.<name>.options.<option>`.
      trials: settings of each strategy; None tries every combination of the values.
    """

    fields: dict[str, tuple[Any, ...] | Range]
    trials: int | None = Field(None, ge=2, le=1000)

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

    def of(self, strategy: str) -> dict[str, tuple[Any, ...] | Range]:
        """The fields that a strategy has: those of `training` and its own options."""
        own = f"strategies.{strategy}."
        return {path: values for path, values in self.fields.items() if path.startswith(("training.", own))}


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
        section, *keys = path.split(".")
        if section == "training":
            for value in _samples(values):
                own_training(training, {path: value})
        elif section != "strategies" or len(keys) < 3 or keys[-2] != "options":
            raise ValueError(
                f"{path} cannot be tuned; tune training.learning_rate, training.augmentation or "
                "strategies.<name>.options.<option>"
            )
        elif names and ".".join(keys[:-2]) not in names:
            raise ValueError(f"{path}: {'.'.join(keys[:-2])} is not among the strategies ({', '.join(names)})")


def _samples(values: tuple[Any, ...] | Range) -> Iterator[Any]:
    if isinstance(values, Range):
        yield from (values.low, values.high)
    else:
        yield from values
