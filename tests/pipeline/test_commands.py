"""The commands that work on a finished run: dry run, report, generate, export, predict, compile."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evenhand.data.marks import MANIFEST, read_manifest
from evenhand.report.result import Result
from tests.pipeline.conftest import TinyRun, evenhand


def names(folder: Path) -> set[str]:
    """Paths of all files below `folder`."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_dry_run_prints_the_plan_and_writes_nothing(tiny_run: TinyRun, tmp_path: Path) -> None:
    done = evenhand("run", tiny_run.config, "--dry-run", "--output", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    for words in ("per_class: 70", "GeneratorTrainer", "Trainer-pretrain_finetune-2", "MB of disk"):
        assert words in done.stdout
    assert not list(tmp_path.iterdir())


def test_report_prints_the_verdict_again(tiny_run: TinyRun) -> None:
    done = evenhand("report", tiny_run.output)
    assert done.returncode == 0, done.stderr
    verdict = Result.load(tiny_run.output).verdict
    assert " ".join(verdict.split()) in " ".join(done.stdout.split())
    assert " ".join(verdict.split()) in " ".join(tiny_run.first.stdout.split())


def test_what_libraries_print_is_in_the_log_and_not_on_the_terminal(tiny_run: TinyRun) -> None:
    assert tiny_run.first.stderr == ""
    assert "tensorflow" not in tiny_run.first.stdout.lower().replace("starting tensorflow and tfx", "")
    assert (tiny_run.output / "logs" / "run.log").stat().st_size > 100


def test_generate_draws_the_same_image_for_the_same_class_and_seed(tiny_run: TinyRun, tmp_path: Path) -> None:
    first = evenhand("generate", tiny_run.output, "--per-class", 3, "--output", tmp_path / "a")
    assert first.returncode == 0, first.stderr
    assert len(list((tmp_path / "a").rglob("*.png"))) == len(list(read_manifest(tmp_path / "a" / MANIFEST))) == 30
    again = evenhand(
        "generate", tiny_run.output, "--per-class", 2, "--seed", 1, "--class", "4", "--output", tmp_path / "b"
    )
    assert again.returncode == 0, again.stderr
    same = {path: path.read_bytes() for path in (tmp_path / "b").rglob("*.png")}
    assert len(same) == 2
    assert set(same.values()) <= {path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--class", "eleven"], "--class eleven: the generator knows no such class; use one of 0, 1"),
        (["--per-class", "0"], "--per-class"),
    ],
)
def test_generate_refuses_in_one_sentence(
    tiny_run: TinyRun, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    done = evenhand("generate", tiny_run.output, "--per-class", 1, "--output", tmp_path / "x", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_a_folder_with_files_is_not_written_into(tiny_run: TinyRun, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("words")
    for command in (
        ["generate", tiny_run.output, "--per-class", 1],
        ["export", tiny_run.output, "--what", "synthetic"],
    ):
        done = evenhand(*command, "--output", tmp_path, "--format", "folder")
        assert done.returncode == 2, done.stderr
    assert names(tmp_path) == {"mine.txt"}


def test_a_balanced_export_holds_the_real_images_and_fills_up_the_rest(tiny_run: TinyRun, tmp_path: Path) -> None:
    done = evenhand(
        "export", tiny_run.output, "--what", "balanced", "--format", "npz", "--output", tmp_path / "balanced.npz"
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "balanced.npz", allow_pickle=False) as arrays:
        assert arrays["x_train"].dtype == np.uint8
        counts = np.bincount(arrays["y_train"])
    largest = max(entry.train for entry in Result.load(tiny_run.output).data.classes)
    assert list(counts) == [largest] * 10


def test_every_synthetic_image_is_exported(tiny_run: TinyRun, tmp_path: Path) -> None:
    done = evenhand(
        "export", tiny_run.output, "--what", "synthetic", "--format", "folder", "--output", tmp_path / "images"
    )
    assert done.returncode == 0, done.stderr
    assert len([path for path in (tmp_path / "images").rglob("*.png")]) == 700


def test_predict_answers_for_every_image_with_probabilities(tiny_run: TinyRun, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 30, 3), dtype=np.uint8)
    for name in ("a.png", "b.jpg", "c.bmp", "d.webp", "e.gif"):
        Image.fromarray(noise).save(tmp_path / name)
    images = sorted(tmp_path.iterdir())
    told = evenhand("predict", tiny_run.output, *images)
    assert told.returncode == 0, told.stderr
    assert [line.split()[0] for line in told.stdout.splitlines()] == [str(path) for path in images]
    [version] = (tiny_run.output / "model").iterdir()
    rows = json.loads(evenhand("predict", version, *images, "--json").stdout)
    assert [row["image"] for row in rows] == [str(path) for path in images]
    for row in rows:
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert row["class"] == max(row["probabilities"], key=row["probabilities"].get)


@pytest.mark.parametrize("content", [b"plain words", b"", "bomb"])
def test_predict_refuses_what_is_no_image(tiny_run: TinyRun, tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "a.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        buffer = io.BytesIO()
        Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
        path.write_bytes(buffer.getvalue())
    done = evenhand("predict", tiny_run.output, path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"evenhand: {path}: ")
    assert done.stderr.count("\n") == 1
