"""The filters of a config: checked before anything is trained, and applied one after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from evenhand import registry
from evenhand.config import Filter, RunConfig, Section, parse_options
from evenhand.errors import UserError
from evenhand.evaluation.filtering import Filtered, Step, first_of_each_class

if TYPE_CHECKING:
    from evenhand.models.filter_candidates import FilterInputs

KIND = "models.filters"
FIELD = "synthetic.filter"

_LOG = logging.getLogger(__name__)


def needs(chain: Sequence[Filter]) -> frozenset[str]:
    """What of `classifier` (the baseline's) and `generator` the filters read besides images."""
    return frozenset(need for entry in chain for need in getattr(registry.load(KIND, entry.name), "NEEDS", ()))


def check_filters(config: RunConfig) -> None:
    """Validates the filters' options, and that the generator can do what they ask.

    Raises:
      UserError: naming the field that is wrong.
    """
    filtering = config.synthetic.filter
    if filtering is None:
        return
    if not filtering.chain:
        raise UserError(FIELD, "names no filter", "name one or write null")
    for entry in filtering.chain:
        module, _ = _parsed(entry)
        generators = registry.load("models.generators", config.generator.name)
        if "generator" in getattr(module, "NEEDS", ()) and not getattr(generators, "JUDGES_IMAGES", False):
            able = [name for name in registry.names("models.generators") if _judges(name)]
            raise UserError(
                FIELD,
                f"{entry.name} asks the generator's discriminator, and {config.generator.name} has none",
                f"use another filter or one of {', '.join(able)}",
            )


def _judges(generator: str) -> bool:
    return getattr(registry.load("models.generators", generator), "JUDGES_IMAGES", False)


def _parsed(entry: Filter) -> tuple[ModuleType, Section]:
    module = registry.load(KIND, entry.name)
    return module, parse_options(module.Options, entry.options, f"{FIELD}.options")


def filter_synthetic(inputs: FilterInputs, chain: Sequence[Filter], asked: Sequence[int]) -> Filtered:
    """Decides which synthetic images are used; reads no test image.

    Args:
      inputs: the images, and what filters may know.
      chain: the filters; each judges what the ones before it kept.
      asked: images of each class that strategies are to have at most.

    Raises:
      UserError: if an option is wrong, or no image at all remains.
    """
    # Imported here, since checking a config needs no TensorFlow.
    from evenhand.models.filter_candidates import Candidates

    labels, steps = inputs.synthetic.labels, []
    rows = np.arange(len(labels))
    for entry in chain:
        module, options = _parsed(entry)
        decision = module.keep(Candidates(inputs, rows), options)
        steps.append(Step(entry.name, options.model_dump(mode="json"), rows, decision.scores, decision.kept))
        rows = rows[decision.kept]
        if not len(rows):
            raise UserError(FIELD, f"{entry.name} leaves no image at all", "let it keep more, or leave it off")
    passed = np.zeros(len(labels), bool)
    passed[rows] = True
    used = first_of_each_class(passed, labels, asked)
    found = Filtered(labels, len(inputs.synthetic.class_names), tuple(steps), used)
    _warn(found, asked, inputs.synthetic.class_names)
    return found


def _warn(found: Filtered, asked: Sequence[int], class_names: Sequence[str]) -> None:
    """Names the classes that the filters leave without any image."""
    counts = found.counts(found.used)
    empty = [name for name, left, most in zip(class_names, counts, asked, strict=True) if most and not left]
    if empty:
        _LOG.warning("the filters leave no synthetic image of %s", ", ".join(empty))
