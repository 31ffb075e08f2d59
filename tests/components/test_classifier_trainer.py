"""What the Trainer of a phase measures: its training, and not what it reads before."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evenhand.components import classifier_trainer
from evenhand.data.blend import Blend
from evenhand.models.phase import Phase
from evenhand.models.processor_time import ProcessorTime
from evenhand.models.train_classifier import ClassifierTraining
from evenhand.models.training_log import TrainingLog


def test_decoding_is_no_processor_time_of_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Told(ProcessorTime):
        def __enter__(self) -> ProcessorTime:
            told.append("begin")
            return super().__enter__()

    def load_table(folder: str, splits: list[str], *, cache: Path) -> str:
        told.append(f"{Path(folder).name} {splits[0]}")
        return folder

    def train(images: str, *_: Any, synthetic: str, **__: Any) -> SimpleNamespace:
        told.append(f"train on {Path(images).name} and {Path(synthetic).name}")
        return SimpleNamespace(steps=5, seconds=1.0, stopped_early=False, device={}, history=())

    monkeypatch.setattr(classifier_trainer, "ProcessorTime", Told)
    monkeypatch.setattr(classifier_trainer, "load_table", load_table)
    monkeypatch.setattr(classifier_trainer, "train_classifier", train)
    monkeypatch.setattr(classifier_trainer.serving, "save_phase", lambda run, folder: None)
    monkeypatch.setattr(classifier_trainer, "state_folder", lambda name: tmp_path / "state" / name)
    settings = classifier_trainer.Settings(
        task="regularizer",
        training=ClassifierTraining(),
        phase=Phase(on="both", blend=Blend()),
        steps=5,
        seed=0,
        deterministic=True,
        final=False,
    )
    classifier_trainer.run_fn(
        SimpleNamespace(
            custom_config={"settings": settings.model_dump_json(), classifier_trainer.SYNTHETIC: "/of/synthetic"},
            train_files=["/of/real/Split-train/*"],
            base_model=None,
            model_run_dir=str(tmp_path),
            serving_model_dir=str(tmp_path),
        )
    )
    assert sorted(told[:3]) == ["real train", "real validation", "synthetic train"]
    assert told[3:] == ["begin", "train on real and synthetic"]
    assert TrainingLog.read(tmp_path).core_hours is not None
