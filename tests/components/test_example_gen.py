"""Ingestion through its executor: key points into the records, and images without a hand into the summary."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from evenhand.components.example_gen import Executor
from evenhand.config import Data, Keypoints
from evenhand.data.image_tables import load_table
from evenhand.data.sidecar import DataSummary


def test_key_points_reach_records_and_summary(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "poses").mkdir()
    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(6):
            name = f"{label}{number}"
            Image.fromarray(rng.integers(0, 256, (10, 20), np.uint8)).save(tmp_path / "images" / label / f"{name}.png")
            if name != "b3":
                hand = {"hand_right_keypoints_2d": [5.0, 5.0, 0.8] * 21}
                (tmp_path / "poses" / f"{name}_keypoints.json").write_text(json.dumps({"people": [hand]}))
    config = Data(
        source="folder",
        path=str(tmp_path / "images"),
        image_size=8,
        keypoints=Keypoints(openpose=str(tmp_path / "poses")),
    )
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path / "examples")
    context = BaseBeamExecutor.Context(beam_pipeline_args=["--direct_running_mode=in_memory"], tmp_dir=str(tmp_path))
    properties = {"data": config.canonical_json(), "seed": 0, "fingerprint": "f" * 32}
    Executor(context).Do({}, {"examples": [examples]}, properties)
    assert DataSummary.read(examples.uri).without_hand == ("folder/b/b3.png",)
    assert "no hand was found in 1 of 12 images, e.g. folder/b/b3.png" in caplog.text
    table = load_table(examples.uri, ["train", "validation", "test"], cache=None)
    expected = np.where(table.ids == "folder/b/b3.png", 0.0, 1.0)[:, None, None] * [0.25, 0.5, 0.8]
    np.testing.assert_allclose(table.keypoints, np.broadcast_to(expected, (12, 21, 3)), rtol=1e-6)
