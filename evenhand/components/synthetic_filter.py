"""SyntheticFilter: leaves out synthetic images before any strategy learns from them, and says how many and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from tfx.dsl.components.base import base_component, base_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.utils import path_utils

from evenhand import registry
from evenhand.components import strategy_inputs
from evenhand.components.example_gen import describe_examples
from evenhand.components.workspace import state_folder
from evenhand.config import Filter, Section, Synthetic
from evenhand.data.image_tables import copy_records, load_table
from evenhand.data.sidecar import DataSummary
from evenhand.models import filter_chain
from evenhand.models.filter_candidates import FilterInputs
from evenhand.models.sample_generator import plan
from evenhand.report import filter_pictures
from evenhand.report.filters_part import filters_part

VERSION = "2"
"""Part of the cache key: raise it when the same config should keep other images."""

FILE_NAME = "filter.json"


class Settings(Section):
    """What the node depends on, as one JSON parameter.

    Attributes:
      per_class: images that are asked for; there are never more.
      chain: the filters.
      code: digests of filters of the user's own.
    """

    per_class: Annotated[int, Field(ge=1)] | Literal["balance"]
    chain: tuple[Filter, ...]
    code: tuple[str | None, ...]
    version: str = VERSION

    @classmethod
    def of(cls, synthetic: Synthetic) -> Settings:
        """The part of the `synthetic` section, which has filters, that the node depends on."""
        assert synthetic.filter is not None, "without filters there is no such node"
        chain = synthetic.filter.chain
        code = tuple(registry.code_digest(filter_chain.KIND, entry.name) for entry in chain)
        return cls(per_class=synthetic.per_class, chain=chain, code=code)


class Executor(base_executor.BaseExecutor):
    """Calls `filter_synthetic` and copies the records that remain."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Writes `synthetic` with the one split train, `filter.json` and pictures of kept and dropped images."""
        settings = Settings.model_validate_json(exec_properties["settings"])
        output = artifact_utils.get_single_instance(output_dict["synthetic"])
        drawn, real = (artifact_utils.get_single_uri(input_dict[key]) for key in ("drawn", "examples"))
        summary, cache = DataSummary.read(real), state_folder("tables")
        table = load_table(drawn, ["train"], cache=cache)
        asked = plan(settings.per_class, summary.counts["train"])
        inputs = FilterInputs(
            synthetic=table,
            train=load_table(real, ["train"], cache=cache),
            validation=load_table(real, ["validation"], cache=cache),
            classifier=_folder(input_dict, "classifier"),
            generator=_folder(input_dict, "generator"),
        )
        found = filter_chain.filter_synthetic(inputs, settings.chain, asked)
        copy_records(drawn, output.uri, "train", found.used)
        summary.for_synthetic(found.counts(found.used).tolist()).write(output.uri)
        describe_examples(output, ("train",), summary.class_names)
        pictures = filter_pictures.pick(found, table)
        part = filters_part(found, asked, summary.class_names, pictures)
        Path(output.uri, FILE_NAME).write_text(part.model_dump_json(indent=1), encoding="utf-8")
        filter_pictures.write_pictures(Path(output.uri, filter_pictures.FILE_NAME), pictures)


def _folder(input_dict: Mapping[str, list[Any]], key: str) -> str | None:
    """Where an input lies that some filters do without."""
    if key not in input_dict:
        return None
    uri: str = artifact_utils.get_single_uri(input_dict[key])
    return path_utils.serving_model_path(uri) if key == "classifier" else uri


def synthetic_filter(
    drawn: BaseChannel, examples: BaseChannel, helpers: Mapping[str, BaseChannel], settings: Settings
) -> base_component.BaseComponent:
    """The node, with just the inputs that its filters read.

    Args:
      drawn: from `SyntheticExampleGen`.
      examples: the real images, of which no test image is read.
      helpers: `classifier`, the baseline's model of the first seed, and `generator`.
      settings: the part of the config that this node depends on.
    """
    needed = filter_chain.needs(settings.chain)
    return strategy_inputs.component(
        "SyntheticFilter",
        Executor,
        {"drawn": drawn, "examples": examples, **{key: helpers[key] for key in sorted(needed)}},
        {"synthetic": standard_artifacts.Examples},
        settings.canonical_json(),
    )
