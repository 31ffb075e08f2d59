"""Processor time of a training, in its log and in those that are older than it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.models.phase import Phase
from evenhand.models.training_log import FILE_NAME, PhaseLog, TrainingLog


def _phase(processor_seconds: float | None) -> PhaseLog:
    return PhaseLog(
        phase=Phase(on="real"), steps=5, seconds=9.0, stopped_early=False, processor_seconds=processor_seconds
    )


def test_core_hours_add_up_over_phases() -> None:
    log = TrainingLog().extended(_phase(1800.0), []).extended(_phase(900.0), [])
    assert log.core_hours == pytest.approx(0.75)


def test_they_are_unknown_where_one_phase_does_not_tell() -> None:
    assert TrainingLog().core_hours is None
    assert TrainingLog().extended(_phase(1800.0), []).extended(_phase(None), []).core_hours is None


def test_an_older_log_is_read(tmp_path: Path) -> None:
    TrainingLog().extended(_phase(1.0), []).write(tmp_path)
    text = (tmp_path / FILE_NAME).read_text()
    (tmp_path / FILE_NAME).write_text(text.replace('"processor_seconds": 1.0', '"processor_seconds": null'))
    assert TrainingLog.read(tmp_path).core_hours is None
    newer = ("processor_seconds", "device")
    without = "\n".join(line for line in text.splitlines() if not any(name in line for name in newer))
    (tmp_path / FILE_NAME).write_text(without.replace('"stopped_early": false,', '"stopped_early": false'))
    assert TrainingLog.read(tmp_path).core_hours is None


def test_the_log_tells_how_the_hardware_was_used() -> None:
    used = {"distribution": "none", "xla": False}
    log = TrainingLog().extended(_phase(1.0).model_copy(update={"device": used}), [])
    assert log.to_json()[0]["device"] == used
