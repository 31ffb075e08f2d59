"""Options that all strategies take alike, so that a loss or an augmentation is one line for any of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from evenhand import registry
from evenhand.config import Augmentation, Mixing, Section, parse_options
from evenhand.errors import UserError
from evenhand.models.phase import Loss, Phase

_KIND = "models.strategies"


class AdjustmentOptions(Section):
    """What every strategy takes that trains a network.

    Attributes:
      post_hoc_adjustment: tau; after the last phase each class's logit is lowered by tau times its log prior, that of
        the phase's images as they are drawn (see `Phase`). 1 takes out the whole prior, 0 adjusts nothing.
    """

    post_hoc_adjustment: float = Field(0.0, ge=0.0, le=10.0)

    def apply_to(self, *phases: Phase) -> tuple[Phase, ...]:
        """The phases with the options.

        Raises:
          ValueError: if the last phase learns no class prior that could be adjusted.
        """
        if not self.post_hoc_adjustment or not phases:
            return phases
        last = {**dict(phases[-1]), "post_hoc_adjustment": self.post_hoc_adjustment}
        return *phases[:-1], Phase.model_validate(last)


class CommonOptions(AdjustmentOptions):
    """What nearly every strategy takes.

    Attributes:
      augmentation: of all its phases; None takes `training.augmentation`, and `{}` is none at all.
      mixing: of pairs of images, in all its phases; None for none.
    """

    augmentation: Augmentation | None = None
    mixing: Mixing | None = None

    def apply_to(self, *phases: Phase) -> tuple[Phase, ...]:
        """The phases with the common options, where they do not set their own.

        Raises:
          ValueError: see `AdjustmentOptions`.
        """
        return super().apply_to(
            *(
                phase.model_copy(
                    update={
                        "augmentation": phase.augmentation or self.augmentation,
                        "mixing": phase.mixing or self.mixing,
                    }
                )
                for phase in phases
            )
        )


class LossOptions(CommonOptions):
    """What nearly every strategy takes that does not stand for a loss itself.

    Attributes:
      loss: a name from `registry.names("models.classifier_losses")`, or `{name: …, options: {…}}`.
    """

    loss: Loss = Loss()


def strategy_options(name: str, options: Mapping[str, Any], where: str) -> Any:
    """Validates what a config gives a strategy against the strategy's own `Options`.

    Args:
      name: of the strategy.
      options: what the config gives.
      where: the config's field, e.g. `strategies.focal.options`.

    Raises:
      UserError: see `parse_options`.
    """
    return parse_options(registry.load(_KIND, name).Options, options, where, elsewhere=_options_of_all())


def check_pairs(phases: Sequence[Phase], where: str) -> None:
    """Refuses pairs of a real and a synthetic image where no batch has a fixed share of both.

    Args:
      phases: of a strategy, all of them: what is asked for needs one phase that can do it.
      where: the field of the strategy's options, e.g. `strategies.combined.options`.

    Raises:
      UserError: if pairs across are asked for, and no phase that has them can mix them.
    """
    across = [phase for phase in phases if phase.mixing is not None and phase.mixing.pairs == "across"]
    if across and not any(phase.has_fixed_share for phase in across):
        raise UserError(
            f"{where}.mixing.pairs",
            "across needs a fixed share of synthetic images in every batch, as mixup and regularizer have, and there "
            "is none here",
            "use any",
        )


def _options_of_all() -> Iterator[str]:
    """The options of every strategy that comes with evenhand; none is loaded before the first is asked for."""
    for name in registry.names(_KIND):
        yield from registry.load(_KIND, name).Options.model_fields
