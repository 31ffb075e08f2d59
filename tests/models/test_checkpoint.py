"""Checkpoints: atomic, verified, and a training that goes on as if never interrupted."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand.models.training import checkpoint


def _variables(*values: object) -> list[keras.Variable]:
    return [keras.Variable(np.asarray(value)) for value in values]


def _model(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def _batches(first: int, count: int) -> tf.data.Dataset:
    numbers = np.random.default_rng(0)
    x, y = numbers.normal(size=(20, 4, 3)).astype("float32"), numbers.normal(size=(20, 4, 2)).astype("float32")
    return tf.data.Dataset.from_tensor_slices((x[first : first + count], y[first : first + count]))


def test_restore_gives_back_variables_step_and_extra(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, _variables([1.5, 2.5], 7), 12, {"history": [{"step": 10, "loss": 0.5}]})
    variables = _variables([0.0, 0.0], 0)
    restored = checkpoint.restore(tmp_path, variables)
    assert restored is not None
    assert restored.step == 12
    assert restored.extra == {"history": [{"step": 10, "loss": 0.5}]}
    np.testing.assert_array_equal(variables[0], [1.5, 2.5])
    assert int(variables[1]) == 7


def test_nothing_to_restore(tmp_path: Path) -> None:
    assert checkpoint.restore(None, []) is None
    assert checkpoint.restore(tmp_path / "absent", []) is None


def test_two_generations_are_kept(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        checkpoint.save(tmp_path, _variables(float(step)), step)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000020.json",
        "step-00000020.npz",
        "step-00000030.json",
        "step-00000030.npz",
    ]


@pytest.mark.parametrize("damage", ["cut", "flipped", "absent", "manifest"])
def test_damaged_generation_falls_back_to_the_one_before(tmp_path: Path, damage: str) -> None:
    checkpoint.save(tmp_path, _variables(1.0), 10)
    checkpoint.save(tmp_path, _variables(2.0), 20)
    newest = tmp_path / "step-00000020.npz"
    content = newest.read_bytes()
    if damage == "cut":
        newest.write_bytes(content[:-10])
    elif damage == "flipped":
        newest.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    elif damage == "absent":
        newest.unlink()
    else:
        newest.with_suffix(".json").write_text('{"step": 20, "sha')
    variables = _variables(0.0)
    restored = checkpoint.restore(tmp_path, variables)
    assert restored is not None
    assert restored.step == 10
    assert float(variables[0]) == 1.0


def test_generation_of_another_model_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoint.save(tmp_path, _variables([1.0, 2.0]), 10)
    variables = _variables([0.0, 0.0, 0.0])
    assert checkpoint.restore(tmp_path, variables) is None
    assert "another model" in caplog.text
    np.testing.assert_array_equal(variables[0], [0.0, 0.0, 0.0])


def test_generation_of_another_training_is_passed_over_and_then_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint.save(tmp_path, _variables(1.0), 100, identity="one")
    variables = _variables(0.0)
    assert checkpoint.restore(tmp_path, variables, identity="two") is None
    assert "other settings or images" in caplog.text
    assert float(variables[0]) == 0.0
    checkpoint.save(tmp_path, _variables(2.0), 10, identity="two")
    assert [path.stem for path in tmp_path.glob("*.json")] == ["step-00000010"]
    assert checkpoint.restore(tmp_path, variables, identity="two") is not None
    assert float(variables[0]) == 2.0


def test_generation_of_more_steps_than_asked_for_is_passed_over(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, _variables(1.0), 10)
    checkpoint.save(tmp_path, _variables(2.0), 20)
    variables = _variables(0.0)
    restored = checkpoint.restore(tmp_path, variables, most_steps=15)
    assert restored is not None and restored.step == 10
    assert float(variables[0]) == 1.0
    assert checkpoint.restore(tmp_path, variables, most_steps=5) is None


def test_unfinished_write_leaves_what_was_there(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, _variables(1.0), 10)
    (tmp_path / ".step-00000020.npz.4711").write_bytes(b"half")
    (tmp_path / "step-00000020.npz").write_bytes(b"no manifest yet")
    restored = checkpoint.restore(tmp_path, _variables(0.0))
    assert restored is not None
    assert restored.step == 10
    checkpoint.save(tmp_path, _variables(2.0), 20)
    assert not list(tmp_path.glob(".*"))


def test_a_finished_training_leaves_nothing(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "state", _variables(1.0), 10)
    checkpoint.discard(tmp_path / "state")
    checkpoint.discard(tmp_path / "state")
    checkpoint.discard(None)
    assert not list(tmp_path.iterdir())


def test_manifest_holds_the_checksum(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, _variables(1.0), 10)
    manifest = json.loads((tmp_path / "step-00000010.json").read_text())
    assert set(manifest) == {"step", "identity", "sha256", "names", "extra"}
    assert len(manifest["sha256"]) == 64


def test_callback_resumes_as_if_never_interrupted(tmp_path: Path) -> None:
    whole = _model()
    whole.fit(_batches(0, 20), verbose=0, shuffle=False)

    first = _model()
    first.fit(_batches(0, 8), verbose=0, shuffle=False, callbacks=[checkpoint.CheckpointCallback(tmp_path, 3)])
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["step-00000006", "step-00000008"]

    second = _model(seed=1)
    restored = checkpoint.restore(tmp_path, checkpoint.training_variables(second))
    assert restored is not None
    assert restored.step == 8
    second.fit(_batches(8, 12), verbose=0, shuffle=False)
    for expected, actual in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, actual)
