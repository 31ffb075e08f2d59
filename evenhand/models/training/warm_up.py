"""The steps of a training in which not every network of a generator learns yet."""

from __future__ import annotations

from evenhand.config import Generator
from evenhand.errors import UserError


def check_steps(config: Generator, warm_up: int) -> None:
    """Refuses a training that would end before its last network has begun to learn.

    Args:
      config: the generator's section.
      warm_up: the first step in which all networks learn, see `ConditionalGenerator.warm_up`.

    Raises:
      UserError: naming `generator.steps`.
    """
    if config.steps <= warm_up:
        raise UserError(
            "generator.steps",
            f"is {config.steps}, but {config.name} warms up for {warm_up} steps before its other networks learn",
            f"give more than {warm_up}, better several times as many, or lower generator.options.warm_up_steps",
        )
