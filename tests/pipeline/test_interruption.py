"""A run that is really killed goes on where it was."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from evenhand.report.predictions import read_predictions
from tests.pipeline.conftest import TINY, evenhand

SMALL = {**TINY, "strategies": ["baseline"], "data": {**TINY["data"], "validate": False}}  # type: ignore[dict-item]

GOES_ON = "the same command goes on from there"


def _start(config: Path, output: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "evenhand.cli", "run", str(config), "--output", str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def _wait_for_stage(process: subprocess.Popen[str], stage: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[") and stage in line:
            return
    raise AssertionError(f"the run ended before {stage}: {process.stderr.read() if process.stderr else ''}")


def _checkpoints(output: Path) -> set[tuple[Path, int]]:
    """Those that are whole: their second file is there."""
    return {(file, file.stat().st_mtime_ns) for file in (output / "state").rglob("step-*.json")}


def _wait_for_checkpoint(output: Path, known: set[tuple[Path, int]]) -> None:
    """The first comes after 200 steps, and one each 200 steps from then on."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):  # replaced between listing and looking
            if _checkpoints(output) - known:
                return
        time.sleep(0.05)
    raise AssertionError("no checkpoint was written")


def _end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    process.send_signal(number)
    _, stderr = process.communicate(timeout=120)
    assert "Traceback" not in stderr
    return process.returncode, stderr


def test_a_run_ended_three_times_goes_on_each_time_and_gives_what_an_unbroken_run_gives(tmp_path: Path) -> None:
    config, output = tmp_path / "config.yaml", tmp_path / "run"
    config.write_text(yaml.safe_dump({**SMALL, "training": {"steps": 1500, "batch_size": 8}}))

    process = _start(config, output)
    _wait_for_stage(process, "ImbalancedExampleGen")
    code, stderr = _end(process, signal.SIGINT)
    assert code == 130 and GOES_ON in stderr

    process = _start(config, output)
    _wait_for_checkpoint(output, known=set())
    code, stderr = _end(process, signal.SIGTERM)
    assert code == 143 and GOES_ON in stderr

    known = _checkpoints(output)
    process = _start(config, output)
    _wait_for_checkpoint(output, known)
    code, _ = _end(process, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not (output / "result.json").exists(), "it was killed too late"

    again = evenhand("run", config, "--output", output)
    assert again.returncode == 0, again.stderr
    assert "ImbalancedExampleGen" in next(line for line in again.stdout.splitlines() if line.endswith("cached"))
    assert "baseline goes on from step" in (output / "logs" / "run.log").read_text()
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(output / "metadata.sqlite")
    states = {execution.last_known_state for execution in MetadataStore(connection).get_executions()}
    assert metadata_store_pb2.Execution.RUNNING not in states

    whole = tmp_path / "whole"
    assert evenhand("run", config, "--output", whole).returncode == 0
    interrupted, uninterrupted = (
        read_predictions(folder / "predictions" / "baseline.parquet")[0] for folder in (output, whole)
    )
    assert (interrupted.probabilities == uninterrupted.probabilities).all()
