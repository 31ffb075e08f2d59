"""Training, saving and loading a generator, from a table to images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from evenhand import progress
from evenhand.config import Device, Generator
from evenhand.data.image_table import ImageTable
from evenhand.errors import EvenhandError, UserError
from evenhand.models.generator_artifact import GeneratorCard, load_sampler, save_generator
from evenhand.models.sample_generator import sample_generator
from evenhand.models.train_generator import train_generator

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


def test_any_steps_per_execution_gives_the_same_weights() -> None:
    one = train(7, device=Device(steps_per_execution=1))
    many = train(7, device=Device(steps_per_execution=4))
    for expected, actual in zip(one.model.weights, many.model.weights, strict=True):
        np.testing.assert_allclose(expected, actual, rtol=1e-5, atol=1e-6)


def test_finished_training_is_taken_from_its_state(tmp_path: Path) -> None:
    first = train(5, state_dir=tmp_path)
    again = train(5, state_dir=tmp_path)
    assert again.history == first.history
    for expected, actual in zip(first.model.weights, again.model.weights, strict=True):
        np.testing.assert_array_equal(expected, actual)


def test_mixed_precision_trains(tmp_path: Path) -> None:
    run = train(3, device=Device(precision="mixed_bfloat16"))
    assert run.device["precision"] == "mixed_bfloat16"
    images = run.model.sample(tf.constant([0, 1]), tf.constant([0, 1], tf.int64))
    assert images.dtype == tf.float32
    assert np.isfinite(images).all()


@pytest.mark.slow
def test_xla_trains() -> None:
    run = train(3, device=Device(xla=True))
    assert np.isfinite(run.history[-1]["generator_loss"])


def test_divergence_is_told_in_words() -> None:
    with pytest.raises(EvenhandError, match="diverged, lower the learning rate"):
        train(60, options={"learning_rate": 1e30})


def test_unknown_option_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"generator\.options\.varriant: .*did you mean 'variant'"):
        train(1, options={"varriant": "dccgan"})
