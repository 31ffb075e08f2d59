"""The graph of a run: which nodes there are, and what a change of the config makes anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evenhand import config_file
from evenhand.config import RunConfig
from evenhand.data.decode import encode_png
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
    [
        (),
        ("repeats=2",),
        ("data.validate=false",),
        ("strategies=[baseline, oversample]",),
        ("strategies=[baseline, combined, smote_svm, resnet_rf, weight_balance]", "repeats=2"),
    ],
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
        ("synthetic.max_copy_share=0.1", set()),
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


GENERATOR = """
import tensorflow as tf
from evenhand.config import Section
from evenhand.models.training.conditional_generator import ConditionalGenerator

class Options(Section):
    \"\"\"None.\"\"\"

class Grey(ConditionalGenerator):
    def __init__(self, images, seed):
        super().__init__(image_shape=images.image_shape, num_classes=len(images.class_names), seed=seed)
        self.set_updates(())
    def update_loss(self, update, batch, seed):
        raise AssertionError("nothing is trained")
    def sample(self, labels, seeds):
        shade = tf.cast(labels, tf.float32) / self.num_classes
        return tf.zeros((tf.shape(labels)[0], *self.image_shape)) + shade[:, None, None, None]

def build(options, images, *, seed):
    return Grey(images, seed)
"""


def test_a_generator_of_ones_own_is_trained_again_when_its_code_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "studio" / "grey.py"
    module.parent.mkdir()
    module.write_text(GENERATOR)
    monkeypatch.syspath_prepend(str(tmp_path))
    own = config("generator.name=studio.grey")
    before = parameters(own)
    assert parameters(own) == before
    module.write_text(GENERATOR.replace("num_classes\n", "num_classes / 2\n"))
    after = parameters(own)
    assert {node for node in after if before[node] != after[node]} == {"GeneratorTrainer"}


def test_other_images_in_the_given_folder_are_another_generator(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "a.png").write_bytes(encode_png(np.zeros((8, 8, 1), np.uint8)))
    given = config("generator.name=folder", f"generator.options={{path: {tmp_path}}}")
    before = parameters(given)
    assert parameters(given) == before
    (tmp_path / "0" / "b.png").write_bytes(encode_png(np.ones((8, 8, 1), np.uint8)))
    after = parameters(given)
    assert {node for node in after if before[node] != after[node]} == {"GeneratorTrainer"}


OWN_CODE = {
    "classifier": "from evenhand.models.classifiers.cnn import Options, build",
    "loss": "from evenhand.models.classifier_losses.focal import Options, terms",
    "forest": "from evenhand.models.strategies.resnet_rf import Options, fit, phases",
}


@pytest.mark.parametrize(
    ("assignment", "module", "nodes"),
    [
        ("classifier.name=studio.classifier", "classifier", {"Trainer-baseline-1"}),
        ("strategies=[baseline, {name: oversample, options: {loss: studio.loss}}]", "loss", {"Trainer-oversample-1"}),
        ("strategies=[baseline, studio.forest]", "forest", {"Predictor-studio.forest"}),
    ],
)
def test_what_ones_own_code_makes_is_made_again_when_it_changes(
    assignment: str, module: str, nodes: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "studio" / f"{module}.py"
    file.parent.mkdir()
    file.write_text(OWN_CODE[module])
    monkeypatch.syspath_prepend(str(tmp_path))
    own = config("strategies=[baseline]", assignment)
    before = parameters(own)
    assert parameters(own) == before
    file.write_text(OWN_CODE[module] + "  # changed")
    after = parameters(own)
    assert {node for node in after if before[node] != after[node]} == nodes
