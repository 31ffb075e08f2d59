"""One small run of the real command line, shared by the tests of the pipeline."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

TINY = {
    "name": "tiny",
    "data": {
        "image_size": 16,
        "profile": {"kind": "geometric", "ratio": 0.75, "largest": 40},
        "splits": {"validation": 0.2, "test": 0.1},
    },
    "generator": {"steps": 30, "batch_size": 16},
    "synthetic": {"per_class": 70},
    "classifier": {"name": "cnn"},
    "training": {"steps": 12, "batch_size": 16},
    "strategies": ["baseline", "oversample", "pretrain_finetune", "mixup", "smote_svm"],
}

TWO_DIGITS = {
    "data": {
        "image_size": 16,
        "validate": False,
        "classes": {"include": ["0", "1"]},
        "profile": {"kind": "counts", "counts": [60, 20]},
        "splits": {"validation": 0.2, "test": 0.5},
    },
    "classifier": {"name": "cnn"},
    "training": {"steps": 4, "batch_size": 8},
}
"""What runs about synthetic images have in common: two classes, and next to no training."""


@dataclass(frozen=True)
class TinyRun:
    """A finished run: its config file and its output folder."""

    config: Path
    output: Path
    first: subprocess.CompletedProcess[str]


def evenhand(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Calls the command line as a user would, in the folder `cwd`."""
    return subprocess.run(
        [sys.executable, "-m", "evenhand.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=1800,
        cwd=cwd,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Thinned digits and a small CNN: a remedy, a strategy of two phases, one that blends, and one of scikit-learn."""
    folder = tmp_path_factory.mktemp("tiny")
    config = folder / "tiny.yaml"
    config.write_text(yaml.safe_dump(TINY))
    first = evenhand("run", config, "--output", folder / "run")
    assert first.returncode == 0, first.stdout + first.stderr
    return TinyRun(config, folder / "run", first)
