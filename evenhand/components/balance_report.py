"""BalanceReport: gathers the evidence of all strategies into one result; no choice is made on its test numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from evenhand.components import model_selector, predictor, synthetic_evaluator, synthetic_filter
from evenhand.components.classical_predictor import fitting_hours
from evenhand.components.strategy_inputs import by_arm
from evenhand.components.workspace import state_folder
from evenhand.config import RunConfig, Section
from evenhand.data.image_tables import load_table
from evenhand.data.sidecar import DataSummary
from evenhand.evaluation.selection import Selection
from evenhand.models.arms import Arm
from evenhand.models.generator_artifact import GeneratorCard
from evenhand.models.processor_time import SECONDS_PER_HOUR
from evenhand.models.training_log import TrainingLog
from evenhand.report import copy_pairs, filter_pictures, samples
from evenhand.report.audit_part import AuditPart
from evenhand.report.collect import Evidence, StrategyEvidence, build_result
from evenhand.report.filters_part import FiltersPart
from evenhand.report.predictions import read_predictions, write_predictions
from evenhand.report.result import FILE_NAME

VERSION = "5"
"""Part of the cache key: raise it when the same evidence should give another result."""

SAMPLES_PER_CLASS = 8


class ArmSettings(Section):
    """What the report must know of an arm beforehand."""

    name: str
    uses_synthetic: bool
    matched: str | None
    shuffled: str | None
    is_control: bool


class Settings(Section):
    """What the node depends on."""

    arms: tuple[ArmSettings, ...]
    confidence: float
    seed: int
    batch_size: int
    version: str = VERSION

    @classmethod
    def of(cls, config: RunConfig, arms: Sequence[Arm]) -> Settings:
        """The part of `config` that the report depends on."""
        return cls(
            arms=tuple(
                ArmSettings(
                    name=arm.name,
                    uses_synthetic=arm.uses_synthetic,
                    matched=arm.matched,
                    shuffled=arm.shuffled,
                    is_control=arm.is_control,
                )
                for arm in arms
            ),
            confidence=config.evaluation.confidence,
            seed=config.seed,
            batch_size=config.training.batch_size,
        )


class Executor(base_executor.BaseExecutor):
    """Reads every strategy's predictions, training log and blessing, and has the result computed."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Writes `result.json` (without run-wide facts), `predictions/`, `samples.parquet` and `copies.parquet`."""
        settings = Settings.model_validate_json(exec_properties["settings"])
        output = Path(artifact_utils.get_single_uri(output_dict["report"]))
        examples: dict[Literal["real", "synthetic"], str] = {
            "real": artifact_utils.get_single_uri(input_dict["examples"])
        }
        if "synthetic" in input_dict:
            examples["synthetic"] = artifact_utils.get_single_uri(input_dict["synthetic"])
        summaries = {source: DataSummary.read(uri) for source, uri in examples.items()}
        real = summaries["real"]
        selection = Path(artifact_utils.get_single_uri(input_dict["selected"]), model_selector.SELECTION_FILE)
        result = build_result(
            Evidence(
                data=real.model_dump(mode="json"),
                synthetic_counts=summaries["synthetic"].counts["train"]
                if "synthetic" in summaries
                else [0] * len(real.class_names),
                strategies={arm.name: _evidence(arm, input_dict) for arm in settings.arms},
                selected=Selection.from_json(selection.read_text()).chosen,
                generator=_generator(input_dict) if "synthetic" in summaries else None,
                audit=_audit(input_dict) if "synthetic" in summaries else None,
                filters=_filters(examples["synthetic"]) if "synthetic" in summaries else None,
                confidence=settings.confidence,
                seed=settings.seed,
                batch_size=settings.batch_size,
            )
        )
        (output / "predictions").mkdir(parents=True)
        for arm in settings.arms:
            write_predictions(output / "predictions" / f"{arm.name}.parquet", _predictions(arm.name, input_dict))
        (output / FILE_NAME).write_text(result.to_json(), encoding="utf-8")
        tables = {source: load_table(uri, ["train"], cache=state_folder("tables")) for source, uri in examples.items()}
        picked = [row for source, table in tables.items() for row in samples.pick(table, source, SAMPLES_PER_CLASS)]
        if "synthetic" in tables:
            picked += samples.pick_nearest(tables["synthetic"], tables["real"], SAMPLES_PER_CLASS)
        samples.write_samples(output / samples.FILE_NAME, picked)
        if "synthetic_evaluation" in input_dict:
            found = artifact_utils.get_single_uri(input_dict["synthetic_evaluation"])
            shutil.copyfile(Path(found, copy_pairs.FILE_NAME), output / copy_pairs.FILE_NAME)
        if result.filters is not None:
            pictures = Path(examples["synthetic"], filter_pictures.FILE_NAME)
            shutil.copyfile(pictures, output / filter_pictures.FILE_NAME)


def _generator(input_dict: Mapping[str, list[Any]]) -> dict[str, Any]:
    """What the report says of the generator; its scores are of the images that strategies learn from."""
    card = GeneratorCard.read(artifact_utils.get_single_uri(input_dict["generator"]))
    scores = Path(artifact_utils.get_single_uri(input_dict["synthetic_evaluation"]), synthetic_evaluator.SCORES_FILE)
    return {
        "name": card.name,
        "scores": json.loads(scores.read_text(encoding="utf-8")),
        "step": None if card.assessment is None else card.assessment.kept_step,
        "findings": () if card.assessment is None else card.assessment.findings,
        "history": card.history,
    }


def _audit(input_dict: Mapping[str, list[Any]]) -> AuditPart:
    found = Path(artifact_utils.get_single_uri(input_dict["synthetic_evaluation"]), synthetic_evaluator.AUDIT_FILE)
    return AuditPart.model_validate_json(found.read_bytes())


def _filters(synthetic: str) -> FiltersPart | None:
    """What filters left of the images, where there were any: beside the records that they kept."""
    found = Path(synthetic, synthetic_filter.FILE_NAME)
    return FiltersPart.model_validate_json(found.read_bytes()) if found.exists() else None


def _predictions(arm: str, input_dict: Mapping[str, list[Any]]) -> list[Any]:
    """The rows of every repeat of an arm, in the order of the seeds, whatever that of the inputs."""
    repeats = [
        part
        for name, artifact in by_arm("predictions", input_dict).items()
        if name == arm or name.startswith(f"{arm}-repeat")
        for part in read_predictions(Path(artifact.uri) / predictor.FILE_NAME)
    ]
    return sorted(repeats, key=lambda part: part.seed)


def _evidence(arm: ArmSettings, input_dict: Mapping[str, list[Any]]) -> StrategyEvidence:
    model = by_arm("model", input_dict).get(arm.name)
    # What scikit-learn fits on pixels has no model, and what it fits at all has no Evaluator.
    log = TrainingLog() if model is None else TrainingLog.read(Path(path_utils.serving_model_path(model.uri)))
    blessing = by_arm("blessing", input_dict).get(arm.name)
    # The Evaluator sets the property only where there were thresholds.
    blessed = (
        blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE
        if blessing is not None and blessing.has_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
        else None
    )
    return StrategyEvidence(
        predictions=_predictions(arm.name, input_dict),
        phases=log.to_json(),
        steps=log.steps,
        uses_synthetic=arm.uses_synthetic,
        matched=arm.matched,
        shuffled=arm.shuffled,
        added=arm.is_control,
        blessed=blessed,
        history=log.history,
        core_hours=_core_hours(arm, log, input_dict),
    )


def _core_hours(arm: ArmSettings, log: TrainingLog, input_dict: Mapping[str, list[Any]]) -> float | None:
    """Of an arm's training, with all of its generator's; None where artifacts are older than the number."""
    fitted = fitting_hours(by_arm("predictions", input_dict)[arm.name].uri)
    if fitted is not None:
        # What gave it features was trained by a Trainer, if anything was.
        return fitted if not log.phases else None if log.core_hours is None else log.core_hours + fitted
    if not arm.uses_synthetic or log.core_hours is None:
        return log.core_hours
    card = GeneratorCard.read(artifact_utils.get_single_uri(input_dict["generator"]))
    return None if card.processor_seconds is None else log.core_hours + card.processor_seconds / SECONDS_PER_HOUR
