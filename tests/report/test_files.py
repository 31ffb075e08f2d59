"""Predictions, samples and the written reports: what is read is what was written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.report import finish, samples
from evenhand.report.collect import Evidence, build_result
from evenhand.report.predictions import Predictions, read_predictions, write_predictions
from evenhand.report.result import Result


def test_predictions_come_back_seed_by_seed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    written = [
        Predictions.of(
            seed, [f"t/{i}" for i in range(6)], ["test"] * 6, rng.integers(0, 3, 6), rng.dirichlet([1] * 3, 6)
        )
        for seed in (0, 7)
    ]
    write_predictions(tmp_path / "baseline.parquet", written[::-1])
    table = pq.read_table(tmp_path / "baseline.parquet")
    types = [pa.string(), pa.string(), pa.int32(), pa.int32(), *[pa.float32()] * 3]
    names = ["image_id", "split", "label", "seed", "p_0", "p_1", "p_2"]
    assert table.schema.equals(pa.schema(list(zip(names, types, strict=True))))
    for a, b in zip(read_predictions(tmp_path / "baseline.parquet"), written, strict=True):
        assert a.seed == b.seed
        for name in ("ids", "splits", "labels", "probabilities"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_a_file_without_predictions_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("text")
    for name in ("other.parquet", "text.parquet", "absent.parquet"):
        with pytest.raises(UserError, match=f"{name}: no predictions"):
            read_predictions(tmp_path / name)


def test_predictions_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        Predictions.of(0, ["a"], ["test"], [0, 1], [[1.0, 0.0]])


def test_samples_are_the_first_of_each_class(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
    ids = np.array([f"images/{i}" for i in range(6)])
    table = ImageTable(images, np.array([0, 1, 0, 0, 1, 1], np.int32), ids, ("cat", "dog"))
    picked = samples.pick(table, "real", 2)
    assert [(s.class_name, s.image_id) for s in picked] == [
        ("cat", "images/0"), ("cat", "images/2"), ("dog", "images/1"), ("dog", "images/4"),
    ]  # fmt: skip
    samples.write_samples(tmp_path / samples.FILE_NAME, picked)
    assert samples.read_samples(tmp_path / samples.FILE_NAME) == picked
    (tmp_path / "image.png").write_bytes(picked[1].png)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "image.png")), images[2])


def test_no_samples_file_gives_no_samples(tmp_path: Path) -> None:
    assert samples.read_samples(tmp_path / samples.FILE_NAME) == []


def test_finish_writes_result_and_reports_and_draws_them_again(
    make_evidence: Callable[..., Evidence], tmp_path: Path
) -> None:
    evidence, output = tmp_path / "evidence", tmp_path / "run"
    evidence.mkdir()
    output.mkdir()
    # Before the runner's part the verdict is of no config.
    early = build_result(make_evidence()).model_copy(update={"verdict": "early"})
    (evidence / "result.json").write_text(early.to_json(), encoding="utf-8")
    samples.write_samples(evidence / samples.FILE_NAME, [samples.Sample("digit 0", "real", "digits/1", b"png")])
    result = finish.write_result(
        output,
        evidence,
        config={"name": "demo", "seed": 3},
        versions={"evenhand": "0.1.0"},
        seconds={"Trainer": 2.0},
        processor_seconds={"Trainer": 3.5},
    )
    assert result.name == "demo" and result.verdict.startswith("Synthetic images helped: ")
    assert Result.load(output) == result
    first = (output / "report.html").read_text(encoding="utf-8")
    (output / "report.html").unlink()
    assert finish.write_report(output) == output / "report.html"
    assert (output / "report.html").read_text(encoding="utf-8") == first
    assert "digits/1" in first
    assert "2.0 s in all, 0.00 core-hours" in first and "3.5 s" in first
    assert sorted(path.name for path in output.iterdir()) == [
        "report.html",
        "report.md",
        "result.json",
        "samples.parquet",
    ]


def test_a_report_is_drawn_without_tensorflow() -> None:
    code = (
        "import sys, evenhand.report.finish, evenhand.report.collect;"
        "print([m for m in ('tensorflow', 'keras', 'tfx', 'apache_beam', 'matplotlib') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
