"""Trains as another strategy does, but with the labels of its synthetic images shuffled: a control, never pushed.

If that strategy does not beat this one, the synthetic images' classes taught nothing, only their pixels did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evenhand import registry
from evenhand.config import Section, Strategy
from evenhand.errors import UserError
from evenhand.models.matched import shuffled_phases
from evenhand.models.phase import Phase
from evenhand.models.strategies._options import check_pairs, strategy_options

IS_CONTROL = True


class Options(Section):
    """Options of the strategy.

    Attributes:
      of: the strategy that it is the control of.
      options: that strategy's own; where they are left out, those that it has in the run.
    """

    of: str = "pretrain_finetune"
    options: dict[str, Any] = {}


def phases(options: Options) -> tuple[Phase, ...]:
    """The other strategy's phases, with shuffled labels wherever they train on synthetic images."""
    field = "strategies.shuffled_synthetic.options"
    registry.check("models.strategies", options.of, f"{field}.of")
    module = registry.load("models.strategies", options.of)
    own: tuple[Phase, ...] = module.phases(strategy_options(options.of, options.options, f"{field}.options"))
    check_pairs(own, f"{field}.options")
    shuffled = shuffled_phases(own)
    if shuffled is None:
        raise UserError(f"{field}.of", f"{options.of} uses no synthetic images", "name a strategy that does")
    return shuffled


def beside(strategy: Strategy, others: Sequence[Strategy]) -> Strategy:
    """What it is in a run: with the options and the training of the strategy that it controls, unless it has its own.

    Args:
      strategy: as configured.
      others: all strategies of the run.
    """
    of = strategy.options.get("of", Options().of)
    controlled = next((other for other in others if other.name == of), None)
    if controlled is None:
        return strategy
    options = {"options": controlled.options, **strategy.options}
    return strategy.model_copy(update={"options": options, "training": strategy.training or controlled.training})
