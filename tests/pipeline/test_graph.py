"""The graph of a run: which nodes there are, and what a change of the config makes anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evenhand import config_file
from evenhand.config import RunConfig
from evenhand.pipeline.graph import create_pipeline
from evenhand.pipeline.plan import plan

TINY = {"classifier": {"name": "cnn"}, "training": {"steps": 4}}


def parameters(config: RunConfig) -> dict[str, dict[str, Any]]:
    """Node -> its parameters, which TFX's cache key is made of beside the inputs."""
    pipeline = create_pipeline(config, fingerprint="f", pipeline_root="/root", push_to="/model")
    return {node.id: dict(node.exec_properties) for node in pipeline.components}


def config(*assignments: str) -> RunConfig:
    return config_file.resolve(TINY, assignments)


def changed(*assignments: str) -> set[str]:
    """Nodes whose parameters the assignments change, directly."""
    before, after = parameters(config()), parameters(config(*assignments))
    return {node for node in after if before.get(node) != after[node]}


@pytest.mark.parametrize(
    "assignments",
    [(), ("repeats=2",), ("data.validate=false",), ("strategies=[baseline, oversample]",)],
)
def test_the_plan_names_the_nodes_of_the_graph(assignments: tuple[str, ...]) -> None:
    drawn = config(*assignments)
    assert sorted(stage.name for stage in plan(drawn).stages) == sorted(parameters(drawn))


@pytest.mark.parametrize(
    ("assignment", "nodes"),
    [
        ("data.validate=false", set()),
        ("evaluation.confidence=0.9", {"BalanceReport"}),
        ("evaluation.minimum=0.5", {"ModelSelector"}),
        ("synthetic.per_class=10", {"SyntheticExampleGen"}),
        ("generator.steps=10", {"GeneratorTrainer"}),
        ("name=other", set()),
    ],
)
def test_a_node_sees_only_its_own_part_of_the_config(assignment: str, nodes: set[str]) -> None:
    assert changed(assignment) == nodes


def test_other_contents_of_a_weights_file_train_the_classifiers_again(tmp_path: Path) -> None:
    path = tmp_path / "own.weights.h5"
    seen = []
    for content in (b"one", b"two"):
        path.write_bytes(content)
        seen.append(parameters(config(f"classifier.weights={path}")))
    assert {node for node in seen[0] if seen[0][node] != seen[1][node]} == {
        node for node in seen[0] if node.startswith("Trainer-")
    }
