"""ImbalancedExampleGen: the source's images as tf.Examples, split and thinned to the imbalance profile."""

from __future__ import annotations

import json
import logging
from typing import Any

import apache_beam as beam
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from evenhand.config import Data
from evenhand.data import records
from evenhand.data.image_tables import images_without_hand
from evenhand.data.prepare import Preparation, prepare
from evenhand.data.sidecar import DataSummary

_LOG = logging.getLogger(__name__)

VERSION = "2"
"""Part of the cache key: raise it when the same config should give other records."""

SPLITS = ("train", "validation", "test")


class Executor(base_beam_executor.BaseBeamExecutor):
    """Scans the source once, then writes the shards of each split in parallel."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Writes `examples` with the splits train, validation and test, and `data.json` beside them."""
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        config, seed = Data.model_validate_json(exec_properties["data"]), int(exec_properties["seed"])
        preparation = prepare(config, seed)
        shards = records.plan_shards(config, preparation, examples.uri)
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(shards)
                | "Spread" >> beam.Reshuffle()
                | "Write" >> beam.Map(records.write_source_shard)
            )
        without_hand = None if config.keypoints is None else _without_hand(examples.uri, preparation)
        DataSummary.of(preparation, config, exec_properties["fingerprint"], without_hand).write(examples.uri)
        describe_examples(examples, SPLITS, preparation.image_set.class_names)


def _without_hand(examples_folder: str, preparation: Preparation) -> list[str]:
    """Ids of the images in which no hand was found; told in the log too."""
    missing = images_without_hand(examples_folder, SPLITS)
    if missing:
        total = sum(int(counts.sum()) for counts in preparation.counts.values())
        _LOG.warning("no hand was found in %d of %d images, e.g. %s", len(missing), total, ", ".join(missing[:5]))
    return missing


def describe_examples(examples: Any, splits: tuple[str, ...], class_names: tuple[str, ...]) -> None:
    """Sets what TFX's standard components read of an Examples artifact, and the names of its classes."""
    examples.set_string_custom_property("class_names", json.dumps(class_names, ensure_ascii=False))
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")


class ImbalancedExampleGenSpec(ComponentSpec):
    """Parameters and output of `ImbalancedExampleGen`."""

    PARAMETERS = {
        "data": ExecutionParameter(type=str),
        "seed": ExecutionParameter(type=int),
        "fingerprint": ExecutionParameter(type=str),
        "version": ExecutionParameter(type=str),
    }
    INPUTS: dict[str, Any] = {}
    OUTPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}


class ImbalancedExampleGen(base_beam_component.BaseBeamComponent):
    """Ingests a source under its imbalance profile.

    Args:
      data: the `data` section of the config.
      seed: of splits and thinning.
      fingerprint: of the source's contents, taken when the graph is built, so that the cache notices new images
        (TFX's cache key never looks at source files).
    """

    SPEC_CLASS = ImbalancedExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, data: Data, seed: int, fingerprint: str) -> None:
        super().__init__(
            ImbalancedExampleGenSpec(
                # Whether TFX looks at the records afterwards is no business of this node: turning that on or off makes
                # no other records.
                data=data.model_copy(update={"validate_": True}).canonical_json(),
                seed=seed,
                fingerprint=fingerprint,
                version=VERSION,
                examples=Channel(type=standard_artifacts.Examples),
            )
        )
