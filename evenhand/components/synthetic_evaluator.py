"""SyntheticEvaluator: how like real images the synthetic ones are, and whether they are copies of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tfx.dsl.components.base import base_component, base_executor
from tfx.types import artifact_utils
from tfx.types.channel import BaseChannel
from tfx.utils import path_utils

from evenhand.components import strategy_inputs
from evenhand.components.artifacts import SyntheticEvaluation
from evenhand.components.workspace import state_folder
from evenhand.config import RunConfig, Section
from evenhand.data.decode import encode_png
from evenhand.data.image_table import ImageTable
from evenhand.data.image_tables import load_table
from evenhand.data.sidecar import DataSummary
from evenhand.evaluation.copies import CopyAudit
from evenhand.models.extractor_choice import CLASSIFIER, CNN, fingerprint
from evenhand.models.judge_synthetic import judge_synthetic
from evenhand.report.audit_part import MOST_PAIRS_PER_CLASS, audit_part
from evenhand.report.copy_pairs import FILE_NAME, PairPictures, write_pairs

VERSION = "2"
"""Part of the cache key: raise it when the same images should be judged otherwise."""

AUDIT_FILE, SCORES_FILE = "audit.json", "scores.json"


class Settings(Section):
    """What the node depends on, as one JSON parameter.

    Attributes:
      seed: of the extractor that is trained, and of what is drawn.
      extractor: of the features that scores go by; `classifier` is the baseline's model.
      outside: digest of the model's files and code.
    """

    seed: int
    extractor: str = CNN
    outside: str = ""
    version: str = VERSION

    @classmethod
    def of(cls, config: RunConfig) -> Settings:
        """The part of the config that the node depends on."""
        choice = config.evaluation.extractor
        return cls(seed=config.seed, extractor=choice, outside=fingerprint(choice, "evaluation.extractor"))


class Executor(base_executor.BaseExecutor):
    """Calls `judge_synthetic` and writes what it finds."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Writes `audit.json`, `scores.json` and the pictures of flagged pairs into `evaluation`."""
        settings = Settings.model_validate_json(exec_properties["settings"])
        output = Path(artifact_utils.get_single_uri(output_dict["evaluation"]))
        real = artifact_utils.get_single_uri(input_dict["examples"])
        cache = state_folder("tables")
        train = load_table(real, ["train"], cache=cache)
        synthetic = load_table(artifact_utils.get_single_uri(input_dict["synthetic"]), ["train"], cache=cache)
        held_out = load_table(real, ["validation", "test"], cache=cache)
        test = held_out.rows(slice(sum(DataSummary.read(real).counts["validation"]), None))
        extractor = settings.extractor
        if extractor == CLASSIFIER:
            extractor = path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["classifier"]))
        found = judge_synthetic(synthetic, train, held_out, test, seed=settings.seed, extractor=extractor)
        part = audit_part(found.audit, found.data_copying, found.leaks, train.class_names, found.extractor)
        scores = None if found.scores is None else found.scores.to_dict()
        output.mkdir(parents=True, exist_ok=True)
        (output / AUDIT_FILE).write_text(part.model_dump_json(indent=1), encoding="utf-8")
        (output / SCORES_FILE).write_text(json.dumps(scores, indent=1, ensure_ascii=False), encoding="utf-8")
        write_pairs(output / FILE_NAME, _pictures(found.audit, synthetic, train))


def _pictures(audit: CopyAudit, synthetic: ImageTable, train: ImageTable) -> list[PairPictures]:
    return [
        PairPictures(
            synthetic_id=pair.synthetic_id,
            real_id=pair.real_id,
            synthetic_png=encode_png(np.asarray(synthetic.images[pair.synthetic_row]), synthetic=True),
            real_png=encode_png(np.asarray(train.images[pair.real_row])),
        )
        for pair in audit.surest_pairs(MOST_PAIRS_PER_CLASS)
    ]


def synthetic_evaluator(
    examples: BaseChannel, synthetic: BaseChannel, classifier: BaseChannel | None, settings: Settings
) -> base_component.BaseComponent:
    """The node, which judges synthetic images against all splits of the real ones; nothing is chosen on what it finds.

    Args:
      examples: real images, from `ImbalancedExampleGen`.
      synthetic: from `SyntheticExampleGen`, or what filters left of them.
      classifier: the baseline's model of the first seed, where the extractor is that; else None.
      settings: the part of the config that this node depends on.
    """
    inputs = {"examples": examples, "synthetic": synthetic}
    if classifier is not None:
        inputs["classifier"] = classifier
    return strategy_inputs.component(
        "SyntheticEvaluator", Executor, inputs, {"evaluation": SyntheticEvaluation}, settings.canonical_json()
    )
