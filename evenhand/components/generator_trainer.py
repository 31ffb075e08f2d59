"""GeneratorTrainer: trains the conditional generator on the real training images."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from evenhand.components.artifacts import Generator
from evenhand.components.workspace import state_folder
from evenhand.config import Device, Section, digest
from evenhand.config import Generator as GeneratorConfig
from evenhand.data.image_tables import load_table
from evenhand.models.generator_artifact import save_generator
from evenhand.models.judge_synthetic import check_enough
from evenhand.models.processor_time import ProcessorTime
from evenhand.models.train_generator import train_generator
from evenhand.models.training import checkpoint

VERSION = "4"
"""Part of the cache key: raise it when the same config should give another generator."""


class Settings(Section):
    """What the node depends on, as one JSON parameter; `outside` is a digest of code and files of the user's."""

    generator: GeneratorConfig
    device: Device
    seed: int
    deterministic: bool
    outside: str | None = None
    version: str = VERSION


class Executor(base_executor.BaseExecutor):
    """Calls `train_generator` and saves what it returns."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Writes `generator`, and the TensorBoard logs of its training into `model_run`."""
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        settings = Settings.model_validate_json(exec_properties["settings"])
        state_dir = state_folder(digest(settings.canonical_json() + examples.uri))
        table = load_table(examples.uri, ["train"], cache=state_folder("tables"))
        check_enough(table)
        validation = load_table(examples.uri, ["validation"], cache=state_folder("tables"))
        with ProcessorTime() as processor:
            run = train_generator(
                table,
                settings.generator,
                held_out=validation if len(validation) else None,
                seed=settings.seed,
                deterministic=settings.deterministic,
                device=settings.device,
                state_dir=state_dir,
                log_dir=artifact_utils.get_single_uri(output_dict["model_run"]),
            )
        save_generator(
            run,
            artifact_utils.get_single_uri(output_dict["generator"]),
            class_names=table.class_names,
            processor_seconds=processor.of(run.seconds),
        )
        checkpoint.discard(state_dir)


class GeneratorTrainerSpec(ComponentSpec):
    """Parameters, input and outputs of `GeneratorTrainer`."""

    PARAMETERS = {"settings": ExecutionParameter(type=str)}
    INPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {
        "generator": ChannelParameter(type=Generator),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
    }


class GeneratorTrainer(base_component.BaseComponent):
    """Trains a generator on `Split-train` of `examples`.

    Args:
      examples: real images, from `ImbalancedExampleGen`.
      settings: the part of the config that this node depends on.
    """

    SPEC_CLASS = GeneratorTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, examples: BaseChannel, settings: Settings) -> None:
        super().__init__(
            GeneratorTrainerSpec(
                examples=examples,
                settings=settings.canonical_json(),
                generator=Channel(type=Generator),
                model_run=Channel(type=standard_artifacts.ModelRun),
            )
        )
