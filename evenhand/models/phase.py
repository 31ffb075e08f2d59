"""A phase of a strategy: what one Trainer does."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_serializer, model_validator

from evenhand import registry
from evenhand.config import Augmentation, Choice, Mixing, Section, parse_options, registered
from evenhand.data.blend import Blend
from evenhand.models.classifier_losses._terms import LossTerms

NUM_STAGES = 8
"""Stages of the layers below the last one, each of about as many weights' tensors, which rates and freezing go by."""


def _freezes(share: float) -> float:
    if not round(share * NUM_STAGES):
        raise ValueError(
            f"{share:g} freezes no layer, as layers are frozen by eighths: give more than {0.5 / NUM_STAGES:g}, or null"
        )
    return share


FrozenShare = Annotated[float, Field(gt=0.0, le=1.0), AfterValidator(_freezes)]
"""Of the layers below the last one, from the input on, rounded to whole stages."""


class Loss(Choice):
    """A loss of `models.classifier_losses` and its options; a bare name will do.

    Attributes:
      name: a name from `registry.names("models.classifier_losses")` or a dotted path.
      options: the loss's own.
    """

    name: Annotated[str, registered("models.classifier_losses", "loss")] = "cross_entropy"

    @model_validator(mode="after")
    def _options_fit(self) -> Loss:
        parse_options(self._module.Options, self.options, "loss.options")
        return self

    @model_serializer
    def _short(self) -> str | dict[str, Any]:
        return {"name": self.name, "options": self.options} if self.options else self.name

    @property
    def goes_by_counts(self) -> bool:
        """Whether it treats rare classes otherwise than common ones, and so learns another prior than its images'."""
        terms = self.terms(np.array([100.0, 1.0]))
        return bool(np.ptp(terms.log_prior) or np.ptp(terms.weights))

    @property
    def _module(self) -> Any:
        return registry.load("models.classifier_losses", self.name)

    def terms(self, counts: NDArray[np.floating]) -> LossTerms:
        """The terms of the loss for [c], images of each class as the batches draw them."""
        found: LossTerms = self._module.terms(self._module.Options(**self.options), counts)
        return found


class Phase(Section):
    """One stage of training; phase n + 1 starts from phase n's weights.

    Statistics of batch normalisation follow the images of every phase, also where weights are frozen: after
    pretraining on synthetic images they must become those of the real ones.

    Attributes:
      on: the images it trains on; `both` blends synthetic ones with the real ones.
      share: of the strategy's gradient steps, in (0, 1]; the shares of a strategy sum to 1.
      sampling: how images are drawn: as they come, every class alike, by the square root of the counts, or as they come
        from as many of each class as the rarest has. With `both` it is said of the real images; a share of synthetic
        ones draws every class alike.
      loss: with the counts of the phase's own images, as they are drawn.
      learning_rate: factor on `training.learning_rate`.
      augmentation: the phase's own; None takes `training.augmentation`.
      mixing: of pairs of images, after the augmentation; None for none.
      blend: how a second stream of images joins: synthetic ones on `both`, real ones drawn alike for every class on
        `real`, which is how a matched arm stands in for them.
      labels: `shuffled` gives the synthetic images each other's labels, as a control.
      head: `fresh` starts the last layer anew.
      frozen_share: of the layers below the last one, from the input on, that keep their weights, rounded to eighths; 1
        trains the last layer alone.
      first_layer_rate: factor on the learning rate of the first layers, rising to 1 at the last.
      weight_decay: of the kernels, decoupled from the gradient (AdamW), in units of the learning rate.
      max_norm: bound on the norm of each class's weights in the last layer, as a multiple of their mean norm when the
        phase begins.
      head_norm_power: tau; at the end each class's weights are divided by their norm to this power.
      post_hoc_adjustment: tau; at the end each class's logit is lowered by tau times the log of its share of the
        images, as the loss sees them: by the phase's sampling, blend and mixing (Menon et al., 2021, equation 9). It is
        for a strategy's last phase. What looks at validation on the way sees the network before it.
      stops: `never` where early stopping leaves the phase alone, as it does one on synthetic images, which have no
        validation split: so the twin of such a phase trains as long.
    """

    on: Literal["real", "synthetic", "both"]
    share: float = Field(1.0, gt=0.0, le=1.0)
    sampling: Literal["instance", "balanced", "sqrt", "undersample"] = "instance"
    loss: Loss = Loss()
    learning_rate: float = Field(1.0, gt=0.0)
    augmentation: Augmentation | None = None
    mixing: Mixing | None = None
    blend: Blend | None = None
    labels: Literal["shuffled"] | None = None
    head: Literal["fresh"] | None = None
    frozen_share: FrozenShare | None = None
    first_layer_rate: float | None = Field(None, gt=0.0, le=1.0)
    weight_decay: float | None = Field(None, gt=0.0)
    max_norm: float | None = Field(None, gt=0.0)
    head_norm_power: float | None = Field(None, gt=0.0, le=2.0)
    post_hoc_adjustment: float | None = Field(None, gt=0.0, le=10.0)
    stops: Literal["never"] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Phase:
        if self.on == "both" and self.blend is None:
            raise ValueError("a phase on both needs a blend")
        if self.on == "synthetic" and self.blend is not None:
            raise ValueError("a phase on synthetic images alone has no blend")
        if self.blend is not None and self.blend.share == "balance" and self.sampling != "instance":
            raise ValueError("images of a balanced pool are drawn as they come (sampling: instance)")
        if self.labels is not None and self.on == "real":
            raise ValueError("the labels of real images are never shuffled")
        return self

    @model_validator(mode="after")
    def _has_a_prior_to_adjust(self) -> Phase:
        if self.post_hoc_adjustment is None:
            return self
        if self.loss.goes_by_counts:
            raise ValueError(
                f"the loss {self.loss.name} corrects for the class counts already, so that post_hoc_adjustment would "
                "do it twice"
            )
        if self.head_norm_power is not None:
            raise ValueError(
                "evening out the norms of the last layer corrects for the class counts already, so that "
                "post_hoc_adjustment would do it twice"
            )
        # Synthetic images are a means to see every class alike, and their real-only twin draws classes so.
        if self.on == "synthetic" or self.sampling in ("balanced", "undersample"):
            raise ValueError(
                "post_hoc_adjustment changes nothing where the last phase draws every class alike, as no class prior "
                "is learned"
            )
        return self

    @property
    def uses_synthetic(self) -> bool:
        """Whether it trains on synthetic images."""
        return self.on != "real"

    @property
    def has_fixed_share(self) -> bool:
        """Whether every batch holds the same share of images that join the others."""
        return self.blend is not None and self.blend.share != "balance"

    @property
    def may_stop_early(self) -> bool:
        """Whether `training.early_stopping` is for it."""
        return self.on != "synthetic" and self.stops is None

    @property
    def balances_weights(self) -> bool:
        """Whether weights are decayed or bounded between gradient steps."""
        return self.weight_decay is not None or self.max_norm is not None
