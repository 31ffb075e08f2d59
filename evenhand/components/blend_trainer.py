"""A Trainer with a second Examples input: phases that train on real and synthetic images at once.

Kubeflow refuses a union of channels, and a node that merged both into one artifact would copy every image. So TFX's
Trainer gets one more named input here, the same on every runner, and both artifacts stand in the model's lineage.
"""

from __future__ import annotations

import json
from typing import Any

from tfx.components.trainer.executor import GenericExecutor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter
from tfx.types.standard_component_specs import TrainerSpec

SYNTHETIC = "synthetic"
"""Key of the second input, and of its folder in `custom_config` as `run_fn` gets it."""


class Executor(GenericExecutor):
    """TFX's executor, which also tells `run_fn` where the synthetic images lie."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Runs `run_fn` with the folder of the second input added to its `custom_config`."""
        config = json.loads(exec_properties["custom_config"])
        config[SYNTHETIC] = artifact_utils.get_single_uri(input_dict[SYNTHETIC])
        super().Do(input_dict, output_dict, {**exec_properties, "custom_config": json.dumps(config)})


class BlendTrainerSpec(TrainerSpec):
    """The Trainer's parameters, inputs and outputs, and one more input."""

    INPUTS = {**TrainerSpec.INPUTS, SYNTHETIC: ChannelParameter(type=standard_artifacts.Examples)}


class BlendTrainer(base_component.BaseComponent):
    """Trains a phase on real and synthetic images at once.

    Args:
      examples: the real images.
      synthetic: the synthetic ones.
      base_model: what the phase starts from; None for a first phase.
      run_fn: dotted path of the function.
      settings: JSON for `run_fn`.
    """

    SPEC_CLASS = BlendTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, examples: BaseChannel, synthetic: BaseChannel, base_model: BaseChannel | None, run_fn: str, settings: str
    ) -> None:
        super().__init__(
            BlendTrainerSpec(
                examples=examples,
                synthetic=synthetic,
                base_model=base_model,
                run_fn=run_fn,
                train_args=trainer_pb2.TrainArgs(splits=["train"]),
                eval_args=trainer_pb2.EvalArgs(splits=["validation"]),
                custom_config=json.dumps({"settings": settings}),
                model=Channel(type=standard_artifacts.Model),
                model_run=Channel(type=standard_artifacts.ModelRun),
            )
        )
