"""SyntheticExampleGen: draws the missing images and writes them as tf.Examples like the real ones."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from evenhand.components.artifacts import Generator
from evenhand.components.example_gen import describe_examples
from evenhand.config import Filtering, Section, Synthetic
from evenhand.data.sidecar import DataSummary
from evenhand.models import synthetic_records
from evenhand.models.generator_artifact import GeneratorCard
from evenhand.models.sample_generator import capped, oversampled, plan

VERSION = "2"
"""Part of the cache key: raise it when the same config should give other images."""


class Settings(Section):
    """What the node depends on, as one JSON parameter."""

    synthetic: Synthetic
    version: str = VERSION

    @classmethod
    def of(cls, synthetic: Synthetic) -> Settings:
        """The part of the config that the images depend on: what becomes or is allowed of them draws no others."""
        factor = 1.0 if synthetic.filter is None else synthetic.filter.oversample
        oversampling = Filtering(chain=(), oversample=factor) if factor > 1 else None
        return cls(synthetic=synthetic.model_copy(update={"max_copy_share": None, "filter": oversampling}))


class Executor(base_beam_executor.BaseBeamExecutor):
    """Splits each class into shards of whole seed blocks, so that any worker draws the same bytes."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Writes `synthetic` with the one split train, and `data.json` beside it."""
        synthetic = artifact_utils.get_single_instance(output_dict["synthetic"])
        generator = artifact_utils.get_single_uri(input_dict["generator"])
        real = DataSummary.read(artifact_utils.get_single_uri(input_dict["examples"]))
        settings = Settings.model_validate_json(exec_properties["settings"])
        wanted = plan(settings.synthetic.per_class, real.counts["train"])
        if settings.synthetic.filter is not None:
            wanted = oversampled(wanted, settings.synthetic.filter.oversample)
        counts = capped(wanted, GeneratorCard.read(generator).available, real.class_names)
        shards = synthetic_records.plan_shards(generator, real.class_names, counts, synthetic.uri)
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(shards)
                | "Spread" >> beam.Reshuffle()
                | "Draw" >> beam.Map(synthetic_records.write_synthetic_shard)
            )
        real.for_synthetic(counts).write(synthetic.uri)
        describe_examples(synthetic, ("train",), real.class_names)


class SyntheticExampleGenSpec(ComponentSpec):
    """Parameters, inputs and output of `SyntheticExampleGen`."""

    PARAMETERS = {"settings": ExecutionParameter(type=str)}
    INPUTS = {
        "generator": ChannelParameter(type=Generator),
        "examples": ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"synthetic": ChannelParameter(type=standard_artifacts.Examples)}


class SyntheticExampleGen(base_beam_component.BaseBeamComponent):
    """Draws synthetic images by the per-class plan.

    Args:
      generator: from `GeneratorTrainer`.
      examples: the real images, for the counts that `balance` fills up.
      settings: the part of the config that this node depends on.
    """

    SPEC_CLASS = SyntheticExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, generator: BaseChannel, examples: BaseChannel, settings: Settings) -> None:
        super().__init__(
            SyntheticExampleGenSpec(
                generator=generator,
                examples=examples,
                settings=settings.canonical_json(),
                synthetic=Channel(type=standard_artifacts.Examples),
            )
        )
