"""A run that is really killed goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from evenhand.report.predictions import read_predictions
from tests.pipeline.conftest import TINY, evenhand

SMALL = {**TINY, "strategies": ["baseline"], "data": {**TINY["data"], "validate": False}}  # type: ignore[dict-item]


def _start(config: Path, output: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "evenhand.cli", "run", str(config), "--output", str(output), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # A shell starts its background jobs, these tests perhaps among them, with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _wait_for_stage(process: subprocess.Popen[str], stage: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[") and stage in line:
            return
    raise AssertionError(f"the run ended before {stage}: {process.stderr.read() if process.stderr else ''}")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_finished_stages_are_kept(tmp_path: Path, number: signal.Signals, code: int) -> None:
    config, output = tmp_path / "config.yaml", tmp_path / "run"
    config.write_text(yaml.safe_dump(SMALL))
    process = _start(config, output, "--set", "training.steps=100000")
    _wait_for_stage(process, "ImbalancedExampleGen")
    time.sleep(8)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in stderr
    if number is not signal.SIGKILL:
        assert "the same command goes on from there" in stderr
    again = evenhand("run", config, "--output", output)
    assert again.returncode == 0, again.stderr
    assert "ImbalancedExampleGen" in next(line for line in again.stdout.splitlines() if line.endswith("cached"))
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(output / "metadata.sqlite")
    states = {execution.last_known_state for execution in MetadataStore(connection).get_executions()}
    assert metadata_store_pb2.Execution.RUNNING not in states


def test_a_killed_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    config, output = tmp_path / "config.yaml", tmp_path / "run"
    config.write_text(yaml.safe_dump({**SMALL, "training": {"steps": 3000, "batch_size": 8}}))
    process = _start(config, output)
    _wait_for_stage(process, "ImbalancedExampleGen")
    # The first checkpoint comes after 200 steps.
    deadline = time.monotonic() + 240
    while not any((output / "state").rglob("*.npz")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=60)
    assert not (output / "result.json").exists(), "it was killed too late"
    again = evenhand("run", config, "--output", output)
    assert again.returncode == 0, again.stderr
    assert "baseline goes on from step" in (output / "logs" / "run.log").read_text()
    whole = tmp_path / "whole"
    assert evenhand("run", config, "--output", whole).returncode == 0
    interrupted, uninterrupted = (
        read_predictions(folder / "predictions" / "baseline.parquet")[0] for folder in (output, whole)
    )
    assert (interrupted.probabilities == uninterrupted.probabilities).all()
