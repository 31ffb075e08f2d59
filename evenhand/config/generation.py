"""The `generator` and `synthetic` sections."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from evenhand.config.section import Section, registered


class Monitor(Section):
    """How a generator is watched while it trains: sample grids, a Frechet distance, per-class diversity.

    Attributes:
      every: training steps between two looks; None looks eight times, at least 100 steps apart.
      keep_best: use the weights with the lowest Frechet distance, not the last ones.
    """

    every: int | None = Field(None, ge=1)
    keep_best: bool = True


class Generator(Section):
    """The generator and its training.

    Attributes:
      name: a name from `registry.names("models.generators")` or a dotted path.
      options: the generator's own `Options`.
      steps: training steps; a step updates every network of the generator once (or as it says).
      batch_size: real images in a step.
      sampling: how real images are drawn: every class alike, as they come, or by the square root of the counts.
      monitor: how it is watched; None does not. A training of fewer than 100 steps is not watched.
    """

    name: Annotated[str, registered("models.generators", "generator.name")] = "cgan"
    options: dict[str, Any] = {}
    steps: int = Field(1000, ge=1)
    batch_size: int = Field(64, ge=2)
    sampling: Literal["balanced", "instance", "sqrt"] = "balanced"
    monitor: Monitor | None = Monitor()


class Filter(Section):
    """One filter of synthetic images.

    Attributes:
      name: a name from `registry.names("models.filters")` or a dotted path.
      options: the filter's own `Options`.
    """

    name: Annotated[str, registered("models.filters", "synthetic.filter.name")]
    options: dict[str, Any] = {}


class Filtering(Section):
    """What becomes of synthetic images before any strategy sees them; a filter, or a list of them, is short for it.

    Attributes:
      chain: the filters, each judging what the ones before it kept.
      oversample: how many times as many images are drawn as are asked for, so that enough remain.
    """

    chain: tuple[Filter, ...]
    oversample: float = Field(1.0, ge=1.0, le=100.0)

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, values: Any) -> Any:
        if isinstance(values, (list, tuple)):
            return {"chain": values}
        if isinstance(values, dict) and "name" in values:
            rest = {key: value for key, value in values.items() if key not in ("name", "options")}
            return {"chain": [{key: values[key] for key in ("name", "options") if key in values}], **rest}
        return values


class Synthetic(Section):
    """How many synthetic images are drawn, and which of them are used.

    Attributes:
      per_class: images of every class (S1 takes 1000), or `balance`: what each class lacks to the largest (S3), which
        is enough for `combined` alone.
      filter: which images are used; None: every image drawn.
      max_copy_share: share of the synthetic images that may be copies of training images; with more the run ends with
        exit code 3. None, or 1, for no gate.
    """

    per_class: Annotated[int, Field(ge=1)] | Literal["balance"] = 1000
    filter: Filtering | None = None
    max_copy_share: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
