"""The graph compiles for Kubeflow, and its executors run as the subprocesses that the compiled graph names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from evenhand.data.sidecar import DataSummary
from tests.pipeline.conftest import TINY, evenhand


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The intermediate representation of the tiny run."""
    folder = tmp_path_factory.mktemp("kubeflow")
    config = folder / "tiny.yaml"
    config.write_text(yaml.safe_dump({**TINY, "resources": {"GeneratorTrainer": {"cpu": 8, "memory": 32}}}))
    done = evenhand("compile", config, "--runner", "kubeflow", "-o", folder / "pipeline.json")
    assert done.returncode == 0, done.stderr
    pipeline: dict[str, Any] = json.loads((folder / "pipeline.json").read_text())
    return pipeline


def _execute(
    compiled: dict[str, Any], node: str, folder: Path, inputs: dict[str, Any], outputs: dict[str, str]
) -> None:
    """Runs one node's container command with local folders as artifacts."""
    spec = compiled["pipelineSpec"]
    task = spec["root"]["dag"]["tasks"][node]
    label = spec["components"][task["componentRef"]["name"]]["executorLabel"]
    container = spec["deploymentSpec"]["executors"][label]["container"]
    parameters = {
        name: value["runtimeValue"]["constant"] for name, value in task.get("inputs", {}).get("parameters", {}).items()
    }
    invocation = {
        "inputs": {
            "artifacts": {key: {"artifacts": [value]} for key, value in inputs.items()},
            "parameterValues": parameters,
        },
        "outputs": {
            "artifacts": {
                key: {
                    "artifacts": [
                        {
                            "name": key,
                            "uri": str(folder / key),
                            "type": {"instanceSchema": f"title: {kind}\ntype: object\n"},
                        }
                    ]
                }
                for key, kind in outputs.items()
            },
            "outputFile": str(folder / "executor_output.json"),
        },
    }
    for key in outputs:
        (folder / key).mkdir(parents=True)
    arguments = [json.dumps(invocation) if value == "{{$}}" else value for value in container["args"]]
    command = [sys.executable if word == "python" else word for word in container["command"]]
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "EVENHAND_STATE"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def test_no_node_needs_what_kubeflow_refuses(compiled: dict[str, Any]) -> None:
    spec = compiled["pipelineSpec"]
    tasks = spec["root"]["dag"]["tasks"]
    assert {
        "ImbalancedExampleGen",
        "GeneratorTrainer",
        "SyntheticEvaluator",
        "Trainer-pretrain_finetune-2",
        "Predictor-smote_svm",
        "BalanceReport",
        "Pusher",
    } <= set(tasks)
    # Two named inputs, each from one node: what trains on both needs no union.
    blended = tasks["Trainer-mixup-1"]["inputs"]["artifacts"]
    producers = {key: blended[key]["taskOutputArtifact"]["producerTask"] for key in ("examples", "synthetic")}
    assert producers == {"examples": "ImbalancedExampleGen", "synthetic": "SyntheticExampleGen"}
    label = spec["components"][tasks["GeneratorTrainer"]["componentRef"]["name"]]["executorLabel"]
    resources = spec["deploymentSpec"]["executors"][label]["container"]["resources"]
    assert resources["cpuLimit"] == 8 and resources["memoryLimit"] == 32


def test_executors_run_as_the_graph_names_them(compiled: dict[str, Any], tmp_path: Path) -> None:
    first = tmp_path / "example_gen"
    _execute(compiled, "ImbalancedExampleGen", first, {}, {"examples": "tfx.Examples"})
    summary = DataSummary.read(str(first / "examples"))
    assert summary.class_names == tuple("0123456789")
    examples = {
        "name": "1",
        "uri": str(first / "examples"),
        "type": {"instanceSchema": "title: tfx.Examples\ntype: object\n"},
        "metadata": {"split_names": json.dumps(["train", "validation", "test"])},
    }
    second = tmp_path / "generator"
    outputs = {"generator": "evenhand.Generator", "model_run": "tfx.ModelRun"}
    _execute(compiled, "GeneratorTrainer", second, {"examples": examples}, outputs)
    assert (second / "generator" / "saved_model.pb").is_file()
