"""TFX's own command line runs the pipeline file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from evenhand.pipeline import local_runner
from tests.pipeline.conftest import TinyRun


def _tfx(run: TinyRun, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("tfx")), *arguments, "--engine", "local"],
        capture_output=True,
        text=True,
        timeout=600,
        env={
            **os.environ,
            "HOME": str(home),
            "EVENHAND_CONFIG": str(run.config),
            "EVENHAND_OUTPUT": str(run.output),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        check=False,
    )


def test_create_and_run(tiny_run: TinyRun, tmp_path: Path) -> None:
    created = _tfx(tiny_run, tmp_path, "pipeline", "create", "--pipeline_path", str(local_runner.__file__))
    assert created.returncode == 0, created.stdout + created.stderr
    (tiny_run.output / "report.html").unlink()
    ran = _tfx(tiny_run, tmp_path, "run", "create", "--pipeline_name", "tiny")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tiny_run.output / "report.html").is_file()
