"""`evenhand compare` as a command: what is paired, what only stands side by side, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evenhand.evaluation.comparison import compare
from evenhand.report.collect import Evidence, build_result
from evenhand.report.predictions import read_predictions, write_predictions
from evenhand.report.render_comparison import render_comparison_html, render_comparison_markdown
from evenhand.report.run_comparison import compare_runs

NASTY = "<img src=x onerror=alert(1)>|`x`"
NAMES = (NASTY, "[bold]two", "three")


def write_run(folder: Path, evidence: Evidence, config: dict | None = None, scores: dict | None = None) -> Path:
    (folder / "predictions").mkdir(parents=True)
    for name, strategy in evidence.strategies.items():
        write_predictions(folder / "predictions" / f"{name}.parquet", list(strategy.predictions))
    evidence = replace(evidence, generator={"name": "cgan", "scores": scores})
    settings = {"name": folder.name, "training": {"steps": 600}} | (config or {})
    result = build_result(evidence).completed(folder.name, settings, {"evenhand": "0.1.0"}, {})
    (folder / "result.json").write_text(result.to_json(), encoding="utf-8")
    return folder


def other_data(evidence: Evidence, fingerprint: str) -> Evidence:
    return replace(evidence, data={**evidence.data, "fingerprint": fingerprint})


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "evenhand.cli", "compare", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def make(make_evidence: Callable[..., Evidence]) -> Callable[..., Evidence]:
    def evidence(**settings: object) -> Evidence:
        return make_evidence(class_names=NAMES, **settings)

    return evidence


def test_runs_on_the_same_test_images_are_compared_image_by_image(
    make: Callable[..., Evidence], tmp_path: Path
) -> None:
    first = write_run(tmp_path / "plain", make(gain=0.0), scores={"extractor": "cnn", "fid": 12.5})
    better = write_run(
        tmp_path / "longer",
        make(gain=0.3),
        {"training": {"steps": 900}, "data": {"profile": {"ratio": 0.5}}},
        {"extractor": "inception", "fid": 40.0},
    )
    page, notes = tmp_path / "out.html", tmp_path / "out.md"
    done = command(first, better, "--json", "--output", page)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [run["label"] for run in told["runs"]] == ["plain", "longer"]
    assert [run["test_images"] for run in told["runs"]] == ["same test images"] * 2

    change = next(c for c in told["changes"] if c["strategy"] == "pretrain_finetune")
    ours, theirs = (
        read_predictions(folder / "predictions" / "pretrain_finetune.parquet")[0].part("test")
        for folder in (better, first)
    )
    expected = compare(ours.labels, ours.probabilities.argmax(1), theirs.probabilities.argmax(1), NAMES)
    assert change["is_paired"] is True
    assert (change["change"], change["low"], change["high"], change["verdict"]) == (
        expected.balanced_accuracy_change, expected.low, expected.high, expected.verdict,
    )  # fmt: skip
    assert change["verdict"] == "helped"
    assert [entry["p"] for entry in change["per_class"]] == [entry.p for entry in expected.per_class]
    same = next(c for c in told["changes"] if c["strategy"] == c["reference_strategy"] == "baseline")
    assert (same["change"], same["verdict"]) == (0.0, "no evidence")

    assert told["scores_comparable"] is False
    assert {d["key"]: d["values"] for d in told["differences"]} == {
        "name": ["plain", "longer"],
        "training.steps": [600, 900],
        "data.profile.ratio": [None, 0.5],
    }
    html = page.read_text(encoding="utf-8")
    assert NASTY not in html and "<img src" not in html
    assert "do not compare" in html

    shown = command(first, better, "--output", notes)
    assert shown.returncode == 0, shown.stderr
    for words in ("[bold]two", NASTY, "training.steps", "900", "do not compare", "better", "image by image"):
        assert words in shown.stdout
    assert NASTY not in notes.read_text(encoding="utf-8")
    assert "&lt;img src=x onerror=alert(1)>".replace(">", "&gt;") in notes.read_text(encoding="utf-8")


def test_other_test_images_of_the_same_data_are_not_paired(make: Callable[..., Evidence], tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", make(), scores={"extractor": "cnn", "fid": 12.5})
    other = write_run(tmp_path / "b", make(num_test=30), scores={"extractor": "cnn", "fid": 13.5})
    compared = compare_runs([first, other])
    assert compared.pairings == ("same test images", "other test images of the same data")
    assert compared.scores_comparable
    change = next(c for c in compared.changes if c.strategy == c.reference_strategy == "baseline")
    assert not change.is_paired and change.per_class == ()
    a, b = (run.result.strategies["baseline"].test for run in compared.runs)
    # Distances of the two intervals' ends, added in quadrature.
    assert change.change == b.balanced_accuracy - a.balanced_accuracy
    assert (change.change - change.low) ** 2 == pytest.approx(
        (b.balanced_accuracy - b.balanced_accuracy_low) ** 2 + (a.balanced_accuracy_high - a.balanced_accuracy) ** 2
    )
    assert (change.high - change.change) ** 2 == pytest.approx(
        (b.balanced_accuracy_high - b.balanced_accuracy) ** 2 + (a.balanced_accuracy - a.balanced_accuracy_low) ** 2
    )
    assert "not paired" in compared.notes[0]
    assert "not paired" in render_comparison_html(compared)
    assert "not paired" in render_comparison_markdown(compared)


def test_other_data_and_other_classes_stand_side_by_side_without_a_difference(
    make_evidence: Callable[..., Evidence], make: Callable[..., Evidence], tmp_path: Path
) -> None:
    first = write_run(tmp_path / "a", make())
    other = write_run(tmp_path / "b", other_data(make(num_test=30), "ffff"))
    classes = write_run(tmp_path / "c", make_evidence(class_names=("x", "y")))
    compared = compare_runs([first, other, classes])
    assert compared.pairings[1:] == ("other data", "other data")
    assert compared.changes == ()
    assert not compared.scores_comparable
    assert "different data and test images" in compared.notes[0]
    assert "different classes" in compared.notes[1]
    assert compared.class_names == (*NAMES, "x", "y")
    for text in (render_comparison_html(compared), render_comparison_markdown(compared)):
        assert "no difference between them means anything" in text


def test_equal_ids_under_another_fingerprint_are_compared_with_a_word_of_caution(
    make: Callable[..., Evidence], tmp_path: Path
) -> None:
    first = write_run(tmp_path / "a", make(seeds=(0,)))
    other = write_run(tmp_path / "b", other_data(make(seeds=(0, 1)), "ffff"))
    compared = compare_runs([first, other])
    assert compared.pairings[1] == "same test images"
    assert any("different fingerprints" in note for note in compared.notes)
    assert any("2 and 1 seeds; the first 1 of either" in note for note in compared.notes)
    baseline = next(c for c in compared.changes if c.strategy == c.reference_strategy == "baseline")
    assert baseline.change == 0.0


def test_runs_of_one_name_are_told_apart_by_their_folders(make: Callable[..., Evidence], tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name / "run", make()) for name in ("a", "b")]
    assert [run.label for run in compare_runs(folders).runs] == [str(folder) for folder in folders]
    folders = [write_run(tmp_path / f"{k}", make(), {"name": "x"}) for k in range(2)]
    assert [run.label for run in compare_runs(folders).runs] == ["0", "1"]


def test_gone_predictions_leave_an_unpaired_difference(make: Callable[..., Evidence], tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name, make()) for name in ("a", "b")]
    for path in (folders[1] / "predictions").iterdir():
        path.unlink()
    compared = compare_runs(folders)
    assert compared.pairings[1] == "other test images of the same data"
    assert all(np.isfinite([c.low, c.high]).all() and not c.is_paired for c in compared.changes)


def test_bad_input_is_one_sentence(make: Callable[..., Evidence], tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", make())
    other = write_run(tmp_path / "b", make())
    (tmp_path / "mine.md").write_text("mine")

    def refused(sentence: str, *arguments: object) -> None:
        done = command(*arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1

    refused("needs two runs or more", run)
    refused("was given one run twice", run, run)
    refused("no result to read here", run, tmp_path / "absent")
    refused("must end in .html or .md", run, other, "--output", tmp_path / "x.pdf")
    refused("exists already", run, other, "--output", tmp_path / "mine.md")
    assert (tmp_path / "mine.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("changed", "is_comparable"),
    [({}, True), ({"num_compared": 10}, False), ({"images": "64 x 64 pixels"}, False), ({"neighbours": 3}, False)],
)
def test_scores_are_compared_only_where_all_but_the_images_is_alike(
    make: Callable[..., Evidence], tmp_path: Path, changed: dict[str, object], is_comparable: bool
) -> None:
    scores = {"extractor": "cnn", "fid": 12.5, "images": "32 x 32 pixels", "neighbours": 5, "num_compared": 100}
    runs = [
        write_run(tmp_path / "a", make(), scores=scores),
        write_run(tmp_path / "b", make(), scores=scores | changed),
    ]
    assert compare_runs(runs).scores_comparable is is_comparable


def test_few_seeds_speak_of_models(make_evidence: Callable[..., Evidence], tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", make_evidence())
    runs = [first, write_run(tmp_path / "b", make_evidence(gain=0.1))]
    assert any("their differences speak of these models" in note for note in compare_runs(runs).notes)
    five = [write_run(tmp_path / name, make_evidence(seeds=tuple(range(5)))) for name in ("c", "d")]
    assert not any("of these models" in note for note in compare_runs(five).notes)
