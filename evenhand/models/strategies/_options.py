"""Options that all strategies take alike, so that a loss or an augmentation is one line for any of them."""

from __future__ import annotations

from evenhand.config import Augmentation, Mixing, Section
from evenhand.models.phase import Loss, Phase


class CommonOptions(Section):
    """What every strategy takes.

    Attributes:
      augmentation: of all its phases; None takes `training.augmentation`, and `{}` is none at all.
      mixing: of pairs of images, in all its phases; None for none.
    """

    augmentation: Augmentation | None = None
    mixing: Mixing | None = None

    def apply_to(self, *phases: Phase) -> tuple[Phase, ...]:
        """The phases with the common options, where they do not set their own."""
        return tuple(
            phase.model_copy(
                update={
                    "augmentation": phase.augmentation or self.augmentation,
                    "mixing": phase.mixing or self.mixing,
                }
            )
            for phase in phases
        )


class LossOptions(CommonOptions):
    """What every strategy takes that does not stand for a loss itself.

    Attributes:
      loss: a name from `registry.names("models.classifier_losses")`, or `{name: …, options: {…}}`.
    """

    loss: Loss = Loss()
