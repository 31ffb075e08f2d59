"""`strategies: auto` through the command line: killed, gone on with, repeated; and a search that reaches generators."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from evenhand import config_file
from evenhand.config import digest
from evenhand.errors import UserError
from evenhand.pipeline.graph import create_images_pipeline, create_pipeline
from evenhand.report.result import Result
from evenhand.report.search_part import SearchPart
from tests.pipeline.conftest import evenhand

FEW = {
    "name": "few",
    "data": {
        "image_size": 16,
        "validate": False,
        "profile": {"kind": "geometric", "ratio": 0.7, "largest": 24},
        "splits": {"validation": 0.2, "test": 0.1},
    },
    "classifier": {"name": "cnn"},
    "training": {"steps": 40, "batch_size": 16},
    "strategies": "auto",
    "budget": "3m",
}

SETTLE = """
from pathlib import Path
from evenhand import config_file
from evenhand.pipeline import output_folder, search
config = config_file.load("config.yaml")
with output_folder.occupied(Path("run"), config_file.dump(config)) as claim:
    search.settle(config, claim)
"""

DRAWN = """
import json
from pathlib import Path
import numpy as np
from evenhand import config_file
from evenhand.pipeline import output_folder
from evenhand.pipeline.search_images import SearchImages
config = config_file.load("config.yaml")
trained = []
def watch(event):
    if event.state == "done":
        trained.append(event.name)
with output_folder.occupied(Path("run"), config_file.dump(config)) as claim:
    images, _ = SearchImages(config, claim, watch).synthetic(config.generator, 600)
print(json.dumps({"most": int(np.bincount(images.synthetic.labels).max()), "trained": trained}))
"""


@pytest.fixture(scope="module")
def killed_and_finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The output folder of a run that was killed amid its search and then run again, and what the second one said."""
    folder = tmp_path_factory.mktemp("auto")
    config, output = folder / "few.yaml", folder / "run"
    config.write_text(yaml.safe_dump(FEW))
    command = [sys.executable, "-u", "-m", "evenhand.cli", "run", str(config), "--output", str(output)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "search: oversample" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert not (output / "search.json").exists(), "it was killed too late"
    again = evenhand("run", config, "--output", output)
    assert again.returncode == 0, again.stderr
    return output, again.stdout


def test_a_killed_search_goes_on_from_its_trials(killed_and_finished: tuple[Path, str]) -> None:
    _, stdout = killed_and_finished
    lines = [line for line in stdout.splitlines() if "search: " in line]
    known = [line.endswith("cached") for line in lines]
    # Two probes and the round's first three at least; where a kill came late, one more.
    assert sum(known) >= 4 and known == sorted(known, reverse=True)
    assert not all(known)


def test_what_was_tried_is_in_the_result_and_the_report(killed_and_finished: tuple[Path, str]) -> None:
    output, _ = killed_and_finished
    result = Result.load(output)
    assert result.search is not None
    assert list(result.strategies) == list(result.search.chosen)
    assert result.search.chosen[0] == "baseline" and len(result.search.chosen) == 2
    assert result.search.seconds <= 180
    kept = [tried for tried in result.search.tried if tried.fate == "kept"]
    assert [tried.strategy for tried in kept] == [result.search.chosen[1]]
    assert all(tried.fate for tried in result.search.tried) and len(result.search.tried) > 5
    # Fewer than 100 training images.
    assert any("too few for a generator" in note for note in result.search.notes)
    assert "What was tried before" in (output / "report.html").read_text()
    assert "What was tried before" in (output / "report.md").read_text()
    assert all(strategy.core_hours is not None and strategy.core_hours > 0 for strategy in result.strategies.values())


def test_the_config_is_what_the_search_settled_on(killed_and_finished: tuple[Path, str]) -> None:
    output, _ = killed_and_finished
    settled = config_file.load(str(output / "config.yaml"))
    assert not settled.is_searched
    assert settled.model_dump(mode="json") == Result.load(output).config
    part = SearchPart.load(output, digest(settled.canonical_json()))
    assert part is not None and part == Result.load(output).search
    assert SearchPart.load(output, "another config") is None


def test_a_search_that_is_repeated_trains_nothing(killed_and_finished: tuple[Path, str]) -> None:
    output, _ = killed_and_finished
    before = (output / "search.json").read_text()
    again = evenhand("run", output.parent / "few.yaml", "--output", output)
    assert again.returncode == 0, again.stderr
    stages = [line for line in again.stdout.splitlines() if line.startswith("[")]
    assert any("search: " in line for line in stages)
    assert all(line.endswith("cached") for line in stages)
    assert (output / "search.json").read_text() == before


def test_generators_follow_the_remedies(tmp_path: Path) -> None:
    values = {
        **FEW,
        "data": {**FEW["data"], "profile": {"kind": "geometric", "ratio": 0.75, "largest": 40}},  # type: ignore[dict-item]
        "generator": {"name": "class_vae", "steps": 4, "batch_size": 8},
        "synthetic": {"per_class": 64, "filter": {"name": "class_probability", "options": {"top_k": 20}}},
        "training": {"steps": 12, "batch_size": 16},
        "budget": "20m",
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    # The search alone, in a process of its own: the run after it is the same as any other.
    done = subprocess.run([sys.executable, "-c", SETTLE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    settled = config_file.load(str(tmp_path / "run" / "config.yaml"))
    names = [strategy.name for strategy in settled.strategies]
    assert len(names) == 3 and names[0] == "baseline"
    part = SearchPart.model_validate_json((tmp_path / "run" / "search.json").read_text())
    assert [(made.name, made.fate) for made in part.generators] == [("class_vae", "trained")]
    tried = {one.strategy for one in part.tried if one.generator == "class_vae"}
    assert tried == {"pretrain_finetune", "regularizer", "combined", "mixup"}
    assert names[2] in tried and settled.generator.name == "class_vae"
    # All from the cache: trials have learned from what the filter kept of 64 images of each class.
    again = subprocess.run([sys.executable, "-c", DRAWN], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout.splitlines()[-1]) == {"most": 20, "trained": []}


def test_the_run_finds_what_its_search_made() -> None:
    chain = [{"name": "class_probability"}, {"name": "discriminator_score"}]
    config = config_file.resolve({**FEW, "strategies": ["baseline", "pretrain_finetune"], "budget": None})
    config = config_file.resolve({**config.model_dump(mode="json"), "synthetic": {"filter": chain}})
    whole = create_pipeline(config, fingerprint="f", pipeline_root="/root", push_to="/model")
    searched = create_images_pipeline(
        config.model_copy(update={"strategies": ()}),
        fingerprint="f",
        pipeline_root="/root",
        metadata_path=Path("/metadata"),
        reach="synthetic",
    )
    nodes = {node.id: node for node in whole.components}
    assert "SyntheticFilter" in {node.id for node in searched.components}
    for node in searched.components:
        assert node.exec_properties == nodes[node.id].exec_properties, node.id
        assert node.inputs.keys() == nodes[node.id].inputs.keys(), node.id


def test_what_a_strategy_sets_for_itself_reaches_its_trainers_and_those_of_its_twin() -> None:
    strategies = ["baseline", {"name": "pretrain_finetune", "training": {"learning_rate": 0.5}}]
    config = config_file.resolve({"strategies": strategies, "training": {"learning_rate": 0.25, "steps": 8}})
    pipeline = create_pipeline(config, fingerprint="f", pipeline_root="/root", push_to="/model")
    rates = {
        node.id: json.loads(json.loads(node.exec_properties["custom_config"])["settings"])["training"]["training"]
        for node in pipeline.components
        if node.id.startswith("Trainer-")
    }
    assert {name: (own["learning_rate"], own["steps"]) for name, own in rates.items()} == {
        "Trainer-baseline-1": (0.25, 8),
        **{f"Trainer-pretrain_finetune{twin}-{phase}": (0.5, 8) for twin in ("", "_matched") for phase in (1, 2)},
    }


def test_no_graph_is_drawn_before_the_search() -> None:
    with pytest.raises(UserError, match=r"must be searched for first; .*config\.yaml"):
        create_pipeline(config_file.resolve(FEW), fingerprint="f", pipeline_root="/root", push_to="/model")


def test_a_field_that_cannot_be_tuned_leaves_nothing_behind(tmp_path: Path) -> None:
    config = tmp_path / "tuned.yaml"
    tuning = {"fields": {"strategies.oversample.options.sampling": ["balanced", "sqrt"]}}
    config.write_text(yaml.safe_dump({**FEW, "strategies": ["baseline", "oversample"], "tuning": tuning}))
    run = evenhand("run", config, "--output", tmp_path / "run")
    assert run.returncode == 2 and "baseline has 1 combination" in run.stderr
    assert not (tmp_path / "run").exists()
