"""Predictor: one row of class probabilities for each validation and test image, by one trained model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import path_utils

from evenhand.components.workspace import state_folder
from evenhand.data.image_table import ImageTable
from evenhand.data.image_tables import load_table
from evenhand.models.serving import load_classifier
from evenhand.report.predictions import Predictions, write_predictions

VERSION = "1"
"""Part of the cache key: raise it when the same model should give other rows."""

FILE_NAME = "predictions.parquet"


class Executor(base_executor.BaseExecutor):
    """Applies the model to the splits that nothing is trained on."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Writes `predictions.parquet` into `predictions`."""
        examples = artifact_utils.get_single_uri(input_dict["examples"])
        model = artifact_utils.get_single_instance(input_dict["model"])
        classifier = load_classifier(path_utils.serving_model_path(model.uri))
        output = artifact_utils.get_single_uri(output_dict["predictions"])
        write_rows(output, examples, int(exec_properties["seed"]), classifier.predict_table)


def write_rows(output: str, examples: str, seed: int, predict: Callable[[ImageTable], NDArray[np.floating]]) -> None:
    """Writes `predictions.parquet`: a row for every validation and test image.

    Args:
      output: the folder.
      examples: folder of the real images.
      seed: the repeat's, written into each row.
      predict: images -> float[n, c], class probabilities.
    """
    tables = {split: load_table(examples, [split], cache=state_folder("tables")) for split in ("validation", "test")}
    rows = Predictions.of(
        seed,
        ids=np.concatenate([table.ids for table in tables.values()]),
        splits=np.repeat(list(tables), [len(table) for table in tables.values()]),
        labels=np.concatenate([table.labels for table in tables.values()]),
        probabilities=np.concatenate([predict(table) for table in tables.values()]),
    )
    write_predictions(Path(output) / FILE_NAME, [rows])


class PredictorSpec(ComponentSpec):
    """Parameters, inputs and output of `Predictor`."""

    PARAMETERS = {"seed": ExecutionParameter(type=int), "version": ExecutionParameter(type=str)}
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {"predictions": ChannelParameter(type=standard_artifacts.InferenceResult)}


class Predictor(base_component.BaseComponent):
    """Predicts validation and test, for the selector and the report.

    Args:
      examples: the real images.
      model: a strategy's final model.
      seed: the repeat's seed, written into each row.
    """

    SPEC_CLASS = PredictorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, examples: BaseChannel, model: BaseChannel, seed: int) -> None:
        super().__init__(
            PredictorSpec(
                examples=examples,
                model=model,
                seed=seed,
                version=VERSION,
                predictions=Channel(type=standard_artifacts.InferenceResult),
            )
        )
