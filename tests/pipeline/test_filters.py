"""Filters in runs of the real pipeline: what is used is what they kept, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from evenhand import config_file
from evenhand.data.image_tables import load_table
from evenhand.data.sidecar import DataSummary
from evenhand.errors import UserError
from evenhand.models.preflight import check_models
from evenhand.pipeline.graph import create_pipeline
from evenhand.pipeline.layout import RunFolder
from evenhand.pipeline.plan import plan
from evenhand.report.filter_pictures import FILE_NAME, PICTURES_PER_CLASS, read_pictures
from evenhand.report.result import Result
from tests.pipeline.conftest import TWO_DIGITS, evenhand

CONFIG = {
    **TWO_DIGITS,
    "name": "filtered",
    "generator": {"steps": 5, "batch_size": 8},
    "synthetic": {
        "per_class": 20,
        "filter": {
            "chain": [
                {"name": "class_probability", "options": {"top_k": 30}},
                {"name": "discriminator_score", "options": {"keep": 0.5}},
            ],
            "oversample": 2,
        },
    },
    "strategies": ["pretrain_finetune", "baseline"],
    "evaluation": {"extractor": "classifier"},
}


OWN = "from evenhand.models.generators.cgan import JUDGES_IMAGES, Options, build\n"
"""A generator of one's own, which every process of a run finds in the current folder."""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filtered")
    own = {**CONFIG["generator"], "name": "studio.own"}  # type: ignore[dict-item]
    (folder / "filtered.yaml").write_text(yaml.safe_dump({**CONFIG, "generator": own}))
    (folder / "studio").mkdir()
    (folder / "studio" / "own.py").write_text(OWN)
    done = evenhand("run", "filtered.yaml", "--output", "run", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run"


def test_counts_of_what_went_stand_in_the_result(output: Path) -> None:
    result = Result.load(output)
    assert result.filters is not None
    assert (result.filters.drawn, result.filters.used) == (80, 30)
    assert [(entry.name, entry.given, entry.kept) for entry in result.filters.filters] == [
        ("class_probability", 80, 60),
        ("discriminator_score", 60, 30),
    ]
    assert [(row.asked, row.drawn, row.passed, row.used) for row in result.filters.per_class] == [(20, 40, 15, 15)] * 2
    for entry in result.filters.filters:
        assert entry.kept_scores is not None and list(entry.kept_scores) == sorted(entry.kept_scores)
    # The counts, the audit and the scores are of the images that strategies learned from.
    assert [row.synthetic for row in result.data.classes] == [15, 15]
    assert result.audit is not None and sum(row.synthetic for row in result.audit.per_class) == 30
    assert result.generator is not None and result.generator.scores["num_synthetic"] == 30


def test_a_generator_of_ones_own_runs_from_the_current_folder(output: Path) -> None:
    result = Result.load(output)
    assert result.generator is not None and result.generator.name == "studio.own"


def test_scores_go_by_the_baseline_where_it_is_the_extractor(output: Path) -> None:
    result = Result.load(output)
    assert result.generator is not None and result.audit is not None
    assert result.generator.scores["extractor"].startswith("classifier_cnn-")
    assert result.audit.extractor.startswith("cnn-")


def test_records_that_remain_are_those_that_were_drawn(output: Path) -> None:
    index = json.loads((output / "artifacts.json").read_text())
    drawn = load_table(str(output / index["SyntheticExampleGen/synthetic"]), ["train"], cache=None)
    folder = RunFolder(output).synthetic
    assert folder == output / index["SyntheticFilter/synthetic"]
    used = load_table(str(folder), ["train"], cache=None)
    rows = {image_id: row for row, image_id in enumerate(drawn.ids)}
    chosen = [rows[image_id] for image_id in used.ids]
    assert chosen == sorted(chosen)
    np.testing.assert_array_equal(used.images, drawn.images[chosen])
    np.testing.assert_array_equal(used.labels, drawn.labels[chosen])
    assert DataSummary.read(folder).counts == {"train": (15, 15)}


def test_the_report_shows_used_and_dropped_images(output: Path) -> None:
    pictures = read_pictures(output / FILE_NAME)
    used = {str(image_id) for image_id in load_table(str(RunFolder(output).synthetic), ["train"], cache=None).ids}
    assert sum(picture.dropped_by is None for picture in pictures) == 2 * PICTURES_PER_CLASS
    assert {picture.dropped_by for picture in pictures} <= {None, "class_probability", "discriminator_score"}
    assert len(pictures) == 4 * PICTURES_PER_CLASS
    for picture in pictures:
        assert (picture.image_id in used) == (picture.dropped_by is None)
    page = (output / "report.html").read_text()
    for picture in pictures:
        fate = f"dropped by {picture.dropped_by}" if picture.dropped_by else "used"
        assert f"{picture.image_id}: {fate}, score " in page
    assert "30 of 80 synthetic images are used" in (output / "report.md").read_text()


WRONG = ("generator.name=class_vae", "synthetic.filter: discriminator_score asks the generator's discriminator")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        WRONG,
        ("synthetic.filter={name: likeliest}", "synthetic.filter.name in "),
        ("evaluation.extractor=incepton", "evaluation.extractor"),
        (
            "evaluation.extractor=no/such/model",
            "no/such/model: there is no such model; check the path",
        ),
    ],
)
def test_a_wrong_filter_is_refused_before_anything_is_trained(tmp_path: Path, setting: str, message: str) -> None:
    (tmp_path / "filtered.yaml").write_text(yaml.safe_dump(CONFIG))
    with pytest.raises(UserError) as refused:
        check_models(config_file.load(str(tmp_path / "filtered.yaml"), [setting]))
    assert str(refused.value).startswith(message)


def test_a_wrong_filter_ends_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "filtered.yaml").write_text(yaml.safe_dump(CONFIG))
    setting, message = WRONG
    done = evenhand("run", tmp_path / "filtered.yaml", "--set", setting, "--output", tmp_path / "run")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"evenhand: {message}") and done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def _parameters(*assignments: str) -> dict[str, dict[str, object]]:
    base = {"classifier": {"name": "cnn"}, "training": {"steps": 4}}
    config = config_file.resolve(base, assignments)
    nodes = create_pipeline(config, fingerprint="f", pipeline_root="/root", push_to="/model").components
    assert sorted(stage.name for stage in plan(config).stages) == sorted(node.id for node in nodes)
    return {node.id: dict(node.exec_properties) for node in nodes}


def test_a_filter_adds_one_node_and_draws_no_other_images() -> None:
    plain = _parameters()
    for filtering in ("{name: agreement}", "[{name: distance}, {name: uncertainty, options: {keep: 0.2}}]"):
        filtered = _parameters(f"synthetic.filter={filtering}")
        assert set(filtered) - set(plain) == {"SyntheticFilter"}
        assert {node for node in plain if plain[node] != filtered[node]} == set()
    more = _parameters("synthetic.filter={name: agreement, oversample: 2}")
    assert {node for node in plain if plain[node] != more[node]} == {"SyntheticExampleGen"}


def test_an_extractor_of_scores_changes_their_node_alone(tmp_path: Path) -> None:
    plain = _parameters()
    weights = tmp_path / "inception_notop.h5"
    weights.write_bytes(b"one")
    for extractor in ("classifier", str(weights)):
        other = _parameters(f"evaluation.extractor={extractor}")
        assert {node for node in plain if plain[node] != other[node]} == {"SyntheticEvaluator"}
    weights.write_bytes(b"two")
    assert _parameters(f"evaluation.extractor={weights}") != other


@pytest.mark.parametrize(
    ("filtering", "inputs"),
    [
        ("{name: agreement}", {"drawn", "examples", "classifier"}),
        ("{name: discriminator_score}", {"drawn", "examples", "generator"}),
        ("[{name: distance}, {name: discriminator_score}]", {"drawn", "examples", "classifier", "generator"}),
    ],
)
def test_the_node_gets_just_what_its_filters_read(filtering: str, inputs: set[str]) -> None:
    config = config_file.resolve({"classifier": {"name": "cnn"}}, [f"synthetic.filter={filtering}"])
    nodes = create_pipeline(config, fingerprint="f", pipeline_root="/root", push_to="/model").components
    [node] = [node for node in nodes if node.id == "SyntheticFilter"]
    assert set(node.inputs) == inputs
    # Whoever reads synthetic images reads those that remain.
    readers = [other for other in nodes if any(c is node.outputs["synthetic"] for c in other.inputs.values())]
    assert {"SyntheticEvaluator", "BalanceReport", "Trainer-pretrain_finetune-1"} <= {other.id for other in readers}
