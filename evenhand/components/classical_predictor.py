"""ClassicalPredictor: fits a strategy of scikit-learn and predicts validation and test, as Predictor does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import path_utils

from evenhand.components.predictor import write_rows
from evenhand.components.workspace import state_folder
from evenhand.config import Section, Strategy
from evenhand.data.image_tables import load_table
from evenhand.models.classical import fit_classical
from evenhand.models.processor_time import SECONDS_PER_HOUR, ProcessorTime

VERSION = "2"
"""Part of the cache key: raise it when the same config should give other rows."""

COST_FILE = "cost.json"


class Settings(Section):
    """What the node depends on.

    Attributes:
      strategy: name and options.
      seed: of the fit, written into each row.
      outside: a digest of the user's own code, so that the cache notices a change of it; else None.
    """

    strategy: Strategy
    seed: int
    outside: str | None = None
    version: str = VERSION


class Executor(base_executor.BaseExecutor):
    """Fits on the split `train` and applies it to the splits that nothing is trained on."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Writes `predictions.parquet` and, beside it, the processor time of fitting into `predictions`."""
        settings = Settings.model_validate_json(exec_properties["settings"])
        examples = artifact_utils.get_single_uri(input_dict["examples"])
        model = input_dict.get("model")
        output = artifact_utils.get_single_uri(output_dict["predictions"])
        with ProcessorTime() as processor:
            predict = fit_classical(
                settings.strategy,
                load_table(examples, ["train"], cache=state_folder("tables")),
                seed=settings.seed,
                network=Path(path_utils.serving_model_path(artifact_utils.get_single_uri(model))) if model else None,
            )
        write_rows(output, examples, settings.seed, predict)
        Path(output, COST_FILE).write_text(json.dumps({"processor_seconds": processor.seconds}), encoding="utf-8")


def fitting_hours(predictions: str) -> float | None:
    """Core-hours that fitting took, from the folder of its predictions; None where a Trainer made the model."""
    cost = Path(predictions, COST_FILE)
    if not cost.exists():
        return None
    seconds: float = json.loads(cost.read_bytes())["processor_seconds"]
    return seconds / SECONDS_PER_HOUR


class ClassicalPredictorSpec(ComponentSpec):
    """Parameters, inputs and output of `ClassicalPredictor`."""

    PARAMETERS = {"settings": ExecutionParameter(type=str)}
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {"predictions": ChannelParameter(type=standard_artifacts.InferenceResult)}


class ClassicalPredictor(base_component.BaseComponent):
    """Fits and predicts, for the report; there is no model to evaluate otherwise, or to push.

    Args:
      examples: the real images.
      settings: strategy and seed.
      model: the classifier whose features it takes; None takes pixels.
    """

    SPEC_CLASS = ClassicalPredictorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, examples: BaseChannel, settings: Settings, model: BaseChannel | None = None) -> None:
        super().__init__(
            ClassicalPredictorSpec(
                examples=examples,
                model=model,
                settings=settings.canonical_json(),
                predictions=Channel(type=standard_artifacts.InferenceResult),
            )
        )
