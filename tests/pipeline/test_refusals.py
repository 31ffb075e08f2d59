"""What cannot work is told by `--dry-run`, and by a run before anything is trained, in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evenhand import config_file
from evenhand.errors import UserError
from evenhand.pipeline.graph import create_pipeline
from evenhand.pipeline.plan import plan
from tests.pipeline.conftest import evenhand

FEW = {"data": {"profile": {"kind": "counts", "counts": [9] * 10}}, "classifier": {"name": "cnn"}}
AUTO = {"strategies": "auto", "budget": "30m"}
NONE_LEFT = (
    "needs a validation image, and there is none "
    "(a class of fewer than 10 images gives none, whatever data.splits.validation is); add images, or "
)


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (AUTO, f"strategies: {NONE_LEFT}name the strategies."),
        (
            {"tuning": {"fields": {"training.learning_rate": [0.001, 0.003]}}, "budget": "30m"},
            f"tuning: {NONE_LEFT}set it to null.",
        ),
        ({"training": {"early_stopping": {}}}, f"training.early_stopping: {NONE_LEFT}set it to null."),
        ({"device": {"distribution": "tpu"}}, "device.distribution: no TPU was found"),
    ],
)
def test_the_plan_tells_what_the_run_would_fail_of(sections: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        plan(config_file.resolve({**FEW, **sections}))
    assert str(raised.value).startswith(sentence)


def test_a_graph_for_a_cluster_is_drawn_without_its_devices() -> None:
    elsewhere = config_file.resolve({"classifier": {"name": "cnn"}, "device": {"distribution": "tpu"}})
    assert create_pipeline(elsewhere, fingerprint="f", pipeline_root="/root", push_to="/model").components


@pytest.mark.parametrize(
    ("assignments", "field"),
    [
        (["strategies=[baseline, mixup]", "training.batch_size=1"], "training.batch_size"),
        (
            ["strategies=[baseline, {name: class_weight, options: {beta: 0.5}}]"],
            "strategies.class_weight.options.beta",
        ),
        (
            ["strategies=[baseline, {name: randaugment, training: {augmentation: {}}}]"],
            "strategies.randaugment.training.augmentation",
        ),
        (["strategies=auto", "budget=30m", "data.profile={kind: counts, counts: [9,9,9,9,9,9,9,9,9,9]}"], "strategies"),
    ],
)
def test_a_dry_run_refuses_in_one_sentence(assignments: list[str], field: str) -> None:
    settings = [word for assignment in assignments for word in ("--set", assignment)]
    done = evenhand("run", "--dry-run", "--set", "classifier.name=cnn", *settings)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"evenhand: {field}: ") and done.stderr.count("\n") == 1
    assert not done.stdout


@pytest.mark.parametrize(
    "assignments", [[], ["strategies=auto", "budget=30m"]], ids=["with named strategies", "with a search"]
)
def test_a_run_of_several_workers_is_refused_and_leaves_no_folder(assignments: list[str], tmp_path: Path) -> None:
    settings = [word for one in ["device.distribution=multi_worker", *assignments] for word in ("--set", one)]
    done = evenhand("run", *settings, "--output", tmp_path / "run")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("evenhand: device.distribution: should be auto,") and done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
