"""ModelSelector: the strategy that is best on validation becomes the model that is pushed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from evenhand.components.predictor import FILE_NAME
from evenhand.components.strategy_inputs import by_arm
from evenhand.config import Section
from evenhand.evaluation.selection import select
from evenhand.report.predictions import read_predictions

VERSION = "1"
"""Part of the cache key: raise it when the same evidence should lead to another choice."""

SELECTION_FILE = "selection.json"


class Settings(Section):
    """What the node depends on.

    Attributes:
      select: the strategy to choose whatever the scores; None for the best.
      minimum: balanced accuracy on validation that the chosen one must reach; None for no gate.
      candidates: strategies that may be pushed, in the order of the config.
      version: of this code.
    """

    select: str | None
    minimum: float | None
    candidates: tuple[str, ...]
    version: str = VERSION


class Executor(base_executor.BaseExecutor):
    """Copies the chosen model and blesses it unless `evaluation.minimum` fails."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Writes `model`, with `selection.json` in it, and `blessing`."""
        settings = Settings.model_validate_json(exec_properties["settings"])
        models = by_arm("model", input_dict)
        rows = {
            arm: read_predictions(Path(artifact.uri) / FILE_NAME)[0].part("validation")
            for arm, artifact in by_arm("predictions", input_dict).items()
        }
        selection = select(
            {arm: (rows[arm].labels, rows[arm].probabilities) for arm in settings.candidates},
            forced=settings.select,
            minimum=settings.minimum,
        )
        model = artifact_utils.get_single_instance(output_dict["model"])
        shutil.copytree(models[selection.chosen].uri, model.uri, dirs_exist_ok=True)
        Path(model.uri, SELECTION_FILE).write_text(selection.to_json())
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        blessed = constants.BLESSED_VALUE if selection.passes else constants.NOT_BLESSED_VALUE
        file_name = constants.BLESSED_FILE_NAME if selection.passes else constants.NOT_BLESSED_FILE_NAME
        Path(blessing.uri).mkdir(parents=True, exist_ok=True)
        Path(blessing.uri, file_name).touch()
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, blessed)
