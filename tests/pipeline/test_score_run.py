"""A run's own images, scored on the features of its own baseline."""

from __future__ import annotations

import json
from pathlib import Path

from tests.pipeline.conftest import TinyRun, evenhand


def test_synthetic_images_of_a_run_are_scored_on_its_baseline(tiny_run: TinyRun, tmp_path: Path) -> None:
    done = evenhand(
        "export", tiny_run.output, "--what", "synthetic", "--output", tmp_path / "drawn", "--format", "folder"
    )
    assert done.returncode == 0, done.stderr
    done = evenhand("score", "digits", tmp_path / "drawn", "--extractor", tiny_run.output, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["extractor"].startswith("classifier_")
    assert [row["class"] for row in found["per_class"]] == [str(digit) for digit in range(10)]
    assert found["inception_score"] >= 1
