"""Training, saving and loading a generator, from a table to images."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand import progress
from evenhand.config import Device, Generator
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models.generator_artifact import GeneratorCard, load_sampler, save_generator
from evenhand.models.sample_generator import sample_generator
from evenhand.models.train_generator import train_generator
from evenhand.models.training.fit_callbacks import HistoryCallback
from evenhand.models.training.identity import training_identity

CLASSES = ("dark", "bright")


def table() -> ImageTable:
    """Two classes that differ by brightness alone, nine images against three."""
    labels = np.array([0] * 9 + [1] * 3, np.int32)
    images = np.where(labels == 0, 20, 230).astype(np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    return ImageTable(images, labels, labels.astype(str), CLASSES)


def train(steps: int, seed: int = 0, options: dict[str, Any] | None = None, **settings: Any) -> Any:
    config = Generator(name="cgan", steps=steps, batch_size=16, options=options or {})
    return train_generator(table(), config, seed=seed, deterministic=True, **settings)


def test_learns_two_classes(tmp_path: Path) -> None:
    run = train(100)
    save_generator(run, tmp_path, class_names=CLASSES)
    sampler = load_sampler(tmp_path)
    dark, bright = (sample_generator(sampler, label=label, count=64).mean() for label in (0, 1))
    assert dark + 60 < bright


def test_card_tells_where_a_generator_comes_from(tmp_path: Path) -> None:
    run = train(3, seed=5, options={"variant": "mlp_cgan_relu"})
    written = save_generator(run, tmp_path, class_names=CLASSES)
    card = GeneratorCard.read(tmp_path)
    assert card == written
    assert (card.name, card.steps, card.seed, card.class_names) == ("cgan", 3, 5, CLASSES)
    assert card.image_shape == (8, 8, 1)
    assert card.options["variant"] == "mlp_cgan_relu"
    assert len(card.weights_sha256) == 64
    sampler = load_sampler(tmp_path)
    assert (sampler.name, sampler.class_names) == ("cgan", CLASSES)


def test_the_seed_decides_all() -> None:
    runs = [train(2, seed=seed, options={"variant": "mlp_cgan_relu"}) for seed in (3, 3, 4)]
    one, same, other = ([np.asarray(weight) for weight in run.model.weights] for run in runs)
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_a_folder_without_a_generator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no generator"):
        load_sampler(tmp_path)


def test_signature_has_the_promised_names_and_types(tmp_path: Path) -> None:
    save_generator(train(1), tmp_path, class_names=CLASSES)
    signature = tf.saved_model.load(str(tmp_path)).signatures["sample"]
    inputs = signature.structured_input_signature[1]
    assert {name: (spec.dtype, spec.shape.as_list()) for name, spec in inputs.items()} == {
        "labels": (tf.int32, [None]),
        "seed": (tf.int64, [None]),
    }
    assert signature.structured_outputs["images"].dtype == tf.uint8
    assert signature.structured_outputs["images"].shape.as_list() == [None, 8, 8, 1]


def test_progress_and_logs(tmp_path: Path) -> None:
    reports: list[progress.Progress] = []
    with progress.listen(reports.append):
        run = train(60, device=Device(steps_per_execution=10), log_dir=tmp_path)
    assert [report.done for report in reports] == [0, 10, 20, 30, 40, 50, 60]
    assert {(report.task, report.total) for report in reports} == {("train generator", 60)}
    assert [row["step"] for row in run.history] == [50, 60]
    assert {"generator_loss", "discriminator_loss"} <= set(run.history[0])
    events = [event for path in tmp_path.glob("events*") for event in tf.compat.v1.train.summary_iterator(str(path))]
    assert {value.tag for event in events for value in event.summary.value} >= {"generator_loss", "discriminator_loss"}


def test_the_logs_of_a_training_that_went_on_begin_at_its_beginning(tmp_path: Path) -> None:
    options = {"variant": "mlp_cgan_relu"}
    train(110, options=options, state_dir=tmp_path / "state", log_dir=tmp_path / "first")
    train(160, options=options, state_dir=tmp_path / "state", log_dir=tmp_path / "second")
    logged: dict[str, set[int]] = {}
    for path in (tmp_path / "second").glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                logged.setdefault(value.tag, set()).add(event.step)
    assert logged["generator_loss"] == {50, 100, 110, 150, 160}
    assert {110, 160} <= logged["frechet_distance"]


def test_any_steps_per_execution_gives_the_same_weights() -> None:
    one = train(7, device=Device(steps_per_execution=1))
    many = train(7, device=Device(steps_per_execution=4))
    for expected, actual in zip(one.model.weights, many.model.weights, strict=True):
        np.testing.assert_allclose(expected, actual, rtol=1e-5, atol=1e-6)


def test_an_interruption_within_an_execution_changes_no_bit(tmp_path: Path) -> None:
    def run(steps: int, state_dir: Path | None = None) -> Any:
        # With a milestone amid an execution, too.
        config = Generator(name="bagan", steps=steps, batch_size=8, options={"warm_up_steps": 5}, monitor=None)
        return train_generator(table(), config, device=Device(steps_per_execution=4), state_dir=state_dir)

    whole = run(12)
    run(6, tmp_path)
    assert_same(whole, run(12, tmp_path))


def test_finished_training_is_taken_from_its_state(tmp_path: Path) -> None:
    first = train(5, state_dir=tmp_path)
    again = train(5, state_dir=tmp_path)
    assert again.history == first.history
    for expected, actual in zip(first.model.weights, again.model.weights, strict=True):
        np.testing.assert_array_equal(expected, actual)


def test_the_time_of_earlier_attempts_counts(tmp_path: Path) -> None:
    first = train(3, state_dir=tmp_path)
    [path] = tmp_path.glob("step-*.json")
    manifest = json.loads(path.read_text())
    assert 0 < manifest["extra"]["seconds"] <= first.seconds
    manifest["extra"]["seconds"] = 3600.0
    path.write_text(json.dumps(manifest))
    assert 3600.0 < train(5, state_dir=tmp_path).seconds < 4600.0


def assert_same(one: Any, two: Any) -> None:
    for expected, actual in zip(one.model.weights, two.model.weights, strict=True):
        np.testing.assert_array_equal(expected, actual)


def test_state_of_another_training_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = {"variant": "mlp_cgan_relu"}
    state = tmp_path / "state"
    train(3, options=options, state_dir=state)
    other = dataclasses.replace(table(), images=255 - table().images)
    config = Generator(name="cgan", steps=3, batch_size=16, options=options)
    cases: list[tuple[ImageTable, Generator, int]] = [
        (table(), config, 1),
        (other, config, 1),
        (other, config.model_copy(update={"options": {**options, "learning_rate": 0.01}}), 1),
    ]
    for images, changed, seed in cases:
        caplog.clear()
        found = train_generator(images, changed, seed=seed, state_dir=state)
        assert "other settings or images" in caplog.text
    assert_same(found, train_generator(images, changed, seed=seed))
    caplog.clear()
    train_generator(images, changed, seed=seed, state_dir=state)
    assert not caplog.text


def test_an_identity_is_that_of_all_it_is_given() -> None:
    images = dataclasses.replace(table(), keypoints=np.zeros((12, 21, 3), np.float32))
    moved = np.zeros((12, 21, 3), np.float32)
    moved[11, 20, 2] = 1.0
    tables = [
        (images, None),
        (None, images),
        (images, images),
        (images.rows(slice(11)), None),
        (dataclasses.replace(images, class_names=("a", "b")), None),
        (dataclasses.replace(images, labels=images.labels[::-1].copy()), None),
        (dataclasses.replace(images, keypoints=None), None),
        (dataclasses.replace(images, keypoints=moved), None),
    ]
    found = [training_identity({"seed": 0}, each) for each in tables]
    found += [training_identity({"seed": 1}, (images, None))]
    found += [training_identity({"seed": 0}, (images, None), [np.array(weight, np.float32)]) for weight in (0, 1)]
    assert len(set(found)) == len(found)
    assert found[0] == training_identity({"seed": 0}, (images.rows(np.arange(12)), None))


def test_state_of_more_steps_is_not_taken_for_fewer(tmp_path: Path) -> None:
    options = {"variant": "mlp_cgan_relu"}
    train(4, options=options, state_dir=tmp_path)
    shorter = train(2, options=options, state_dir=tmp_path)
    assert (shorter.steps, shorter.model.steps_done) == (2, 2)
    assert_same(shorter, train(2, options=options))
    # More steps go on from there.
    assert_same(train(4, options=options, state_dir=tmp_path), train(4, options=options))


def test_mixed_precision_trains(tmp_path: Path) -> None:
    run = train(3, device=Device(precision="mixed_bfloat16"))
    assert run.device["precision"] == "mixed_bfloat16"
    images = run.model.sample(tf.constant([0, 1]), tf.constant([0, 1], tf.int64))
    assert images.dtype == tf.float32
    assert np.isfinite(images).all()


def test_divergence_is_told_in_words() -> None:
    with pytest.raises(UserError, match=r"generator\.options: .*diverged: .* of 60; lower the learning rate"):
        train(60, options={"learning_rate": 1e30})


def test_divergence_names_the_best_weights_so_far() -> None:
    history = HistoryCallback("train generator", steps=100, every=50, step=lambda: 70, best_step=lambda: 40)
    history.set_model(keras.Sequential())
    with pytest.raises(UserError, match=r"at step 70 of 100, and the best .* step 40; .* set generator\.steps to 40"):
        history.on_train_batch_end(69, {"loss": float("nan")})


def test_a_training_within_the_warm_up_is_refused() -> None:
    config = Generator(name="bagan", steps=5, batch_size=16, options={"warm_up_steps": 5})
    with pytest.raises(UserError, match=r"generator\.steps: is 5, but bagan warms up for 5 steps"):
        train_generator(table(), config)


def test_unknown_option_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"generator\.options\.varriant: .*did you mean 'variant'"):
        train(1, options={"varriant": "dccgan"})
