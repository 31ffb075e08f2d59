"""Trains as another strategy does, but with the labels of its synthetic images shuffled: a control, never pushed.

If that strategy does not beat this one, the synthetic images' classes taught nothing, only their pixels did.
"""

from __future__ import annotations

from typing import Any

from evenhand import registry
from evenhand.config import Section, parse_options
from evenhand.errors import UserError
from evenhand.models.phase import Phase

IS_CONTROL = True


class Options(Section):
    """Options of the strategy.

    Attributes:
      of: the strategy that it is the control of.
      options: that strategy's own; give both the same.
    """

    of: str = "pretrain_finetune"
    options: dict[str, Any] = {}


def phases(options: Options) -> tuple[Phase, ...]:
    """The other strategy's phases, with shuffled labels wherever they train on synthetic images."""
    field = "strategies.shuffled_synthetic.options"
    registry.check("models.strategies", options.of, f"{field}.of")
    module = registry.load("models.strategies", options.of)
    own: tuple[Phase, ...] = module.phases(parse_options(module.Options, options.options, f"{field}.options"))
    if not any(phase.uses_synthetic for phase in own):
        raise UserError(f"{field}.of", f"{options.of} uses no synthetic images", "name a strategy that does")
    return tuple(phase.model_copy(update={"labels": "shuffled"}) if phase.uses_synthetic else phase for phase in own)
