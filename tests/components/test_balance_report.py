"""What the report's executor makes of its inputs before the plain function takes over."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from evenhand.components import balance_report, predictor
from evenhand.report.predictions import Predictions, write_predictions


def test_repeats_come_in_the_order_of_their_seeds_whatever_that_of_the_inputs(tmp_path: Path) -> None:
    inputs = {}
    for name, seed in (("tiny-repeat10", 9), ("tiny-repeat2", 1), ("tiny", 0), ("tiny_matched", 0)):
        (tmp_path / name).mkdir()
        rows = Predictions.of(seed, [name], ["test"], [0], [[1.0, 0.0]])
        write_predictions(tmp_path / name / predictor.FILE_NAME, [rows])
        inputs[f"predictions__{name}"] = [SimpleNamespace(uri=str(tmp_path / name))]
    parts = balance_report._predictions("tiny", inputs)
    assert [(part.seed, part.ids[0]) for part in parts] == [(0, "tiny"), (1, "tiny-repeat2"), (9, "tiny-repeat10")]
