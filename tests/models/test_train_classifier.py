"""Training a phase: seeds, budgets, losses, schedules, early stopping, and going on after an interruption."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from evenhand import progress
from evenhand.config import Augmentation, Classifier, Device, EarlyStopping, Training
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models import serving
from evenhand.models.phase import Phase
from evenhand.models.train_classifier import ClassifierTraining, load_base, train_classifier
from evenhand.models.training.classification import CosineRate, build_network, shared_classifier

REAL = Phase(on="real")


def striped(counts, seed=0):
    """Noisy 8x8 images of class c with a bright row c: learnable in a few steps."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    images = rng.integers(0, 120, (len(labels), 8, 8, 1))
    images[np.arange(len(labels)), 2 * labels] += 120
    names = tuple(f"row {2 * c}" for c in range(len(counts)))
    return ImageTable(images.astype(np.uint8), labels, np.arange(len(labels)).astype(str), names)


def config(**training):
    return ClassifierTraining(classifier=Classifier(name="cnn"), training=Training(**{"batch_size": 16, **training}))


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first.weights, second.weights, strict=True))


@pytest.fixture(scope="module")
def images():
    return striped([30, 20, 6])


@pytest.fixture(scope="module")
def trained(images):
    return train_classifier(images, REAL, config(), steps=40)


def test_it_learns(trained):
    unseen = striped([20, 20, 20], seed=1)
    probabilities = trained.predict(unseen)
    assert probabilities.shape == (60, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities.argmax(axis=1) == unseen.labels).mean() > 0.9


def test_the_run_tells_what_happened(trained, images):
    assert trained.steps == 40
    assert not trained.stopped_early
    assert trained.class_names == images.class_names
    assert [row["step"] for row in trained.history] == [12, 24, 36, 40]
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    assert set(trained.history[0]) == {"step", "loss", "accuracy", "learning_rate"}
    assert trained.device["distribution"] == "none"


def test_equal_seeds_give_equal_weights_whatever_was_trained_between(images, trained):
    other = train_classifier(images, Phase(on="real", loss="balanced_softmax"), config(), steps=5, seed=3)
    assert not same(trained, other)
    assert same(trained, train_classifier(images, REAL, config(), steps=40))
    # A run keeps its weights, though the compiled network is shared.
    assert not np.allclose(trained.predict(images), other.predict(images))
    np.testing.assert_array_equal(trained.model.get_weights()[0], trained.weights[0])


def test_dropout_noise_too_is_the_same_whatever_was_trained_between(images):
    settings = config().model_copy(update={"classifier": Classifier(name="cnn", options={"dropout": 0.5})})
    first, _, again = (train_classifier(images, REAL, settings, steps=6, seed=seed) for seed in (0, 1, 0))
    assert same(first, again)


def test_another_weights_file_of_the_same_name_is_another_network(images, tmp_path):
    path = tmp_path / "own.weights.h5"
    settings = config().model_copy(update={"classifier": Classifier(name="cnn", weights=str(path))})
    starts = []
    for seed in (1, 2):
        build_network(Classifier(name="cnn"), images.image_shape, 3, seed).save_weights(path)
        starts.append(train_classifier(images, Phase(on="real", learning_rate=1e-9), settings, steps=1))
    assert not np.allclose(starts[0].weights[0], starts[1].weights[0])


def test_every_seed_starts_from_the_weights_of_a_fresh_build(images):
    classifier = Classifier(name="cnn")
    shared = shared_classifier(classifier, images.image_shape, 3, Device(), looks_every=None)
    for seed in (7, 0, 7):
        shared.reset(seed)
        fresh = build_network(classifier, images.image_shape, 3, seed)
        for ours, theirs in zip(shared.network.variables, fresh.variables, strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
        assert int(shared.model.optimizer.iterations) == 0


def test_cross_entropy_and_balanced_softmax_differ_by_the_prior(images):
    def rare_share(loss):
        run = train_classifier(images, Phase(on="real", loss=loss), config(learning_rate=1e-4), steps=5)
        return run.predict(images)[:, 2].mean()

    # The prior explains the imbalance, so the logits need not: the rare class gets more.
    assert rare_share("balanced_softmax") > rare_share("cross_entropy")


def test_a_phase_goes_on_from_the_model_before(images, trained, tmp_path):
    serving.save_phase(trained, tmp_path)
    # At so low a rate nothing moves but batch statistics.
    frozen = Phase(on="real", learning_rate=1e-9)
    after = train_classifier(images, frozen, config(), steps=5, base_model=tmp_path)
    moved = sum(not np.allclose(a, b, atol=1e-6) for a, b in zip(trained.weights, after.weights, strict=True))
    assert moved <= 2
    assert same(after, train_classifier(images, frozen, config(), steps=5, base_model=tmp_path / "model.keras"))


def test_a_base_model_of_another_network_is_refused(trained, images, tmp_path):
    with pytest.raises(UserError, match="no such model"):
        train_classifier(images, REAL, config(), steps=1, base_model=tmp_path)
    serving.save_phase(trained, tmp_path)
    with pytest.raises(UserError, match="does not fit"):
        load_base(build_network(Classifier(name="cnn"), (8, 8, 1), 5, 0), tmp_path)


def test_the_schedule_warms_up_and_decays_to_zero():
    rate = CosineRate()
    rate.set(0.2, warm_up=4, steps=12)
    values = [float(rate(step)) for step in range(12)]
    np.testing.assert_allclose(values[:5], [0.05, 0.1, 0.15, 0.2, 0.2], rtol=1e-6)
    assert values[8] == pytest.approx(0.1)
    assert all(a > b for a, b in zip(values[4:], values[5:], strict=False))
    assert float(rate(12)) == pytest.approx(0, abs=1e-8)


def test_early_stopping_goes_back_to_the_best_weights(images):
    # Labels of the validation split are wrong on purpose: what is learned only makes it worse.
    wrong = ImageTable(images.images, (images.labels + 1) % 3, images.ids, images.class_names)
    stopping = config(early_stopping=EarlyStopping(patience=2, every=8))
    run = train_classifier(images, REAL, stopping, steps=400, validation=wrong)
    assert run.stopped_early
    losses = {row["step"]: row["validation_loss"] for row in run.history if "validation_loss" in row}
    assert run.steps == max(losses) == min(losses, key=losses.get) + 16
    probabilities = run.predict(wrong)[np.arange(len(wrong)), wrong.labels]
    assert -np.log(probabilities).mean() == pytest.approx(min(losses.values()), rel=1e-4)


@pytest.mark.parametrize("every", [6, 7])
def test_early_stopping_looks_at_the_steps_that_are_asked_for(images, every):
    stopping = config(early_stopping=EarlyStopping(every=every))
    run = train_classifier(images, REAL, stopping, steps=20, validation=striped([5, 5, 5], seed=2))
    looked = [row["step"] for row in run.history if "validation_loss" in row]
    assert looked[:-1] == list(range(every, 20, every)) and looked[-1] == 20


def test_early_stopping_needs_images(images):
    empty = ImageTable(images.images[:0], images.labels[:0], images.ids[:0], images.class_names)
    with pytest.raises(UserError, match=r"training\.early_stopping"):
        train_classifier(images, REAL, config(early_stopping=EarlyStopping()), steps=4, validation=empty)
    with pytest.raises(UserError, match="no image"):
        train_classifier(empty, REAL, config(), steps=4)


class Interrupted(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("stops_early", [False, True])
def test_interrupted_and_resumed_is_uninterrupted(images, tmp_path, stops_early):
    settings = config(
        early_stopping=EarlyStopping(patience=3, every=40) if stops_early else None,
        augmentation=Augmentation(rotation=10, shift=0.1),
    )
    validation = striped([5, 5, 5], seed=2) if stops_early else None

    def train(state_dir):
        return train_classifier(images, REAL, settings, steps=260, validation=validation, state_dir=state_dir)

    def interrupt(report):
        if report.done >= 220:
            raise Interrupted

    whole = train(None)
    with pytest.raises(Interrupted), progress.listen(interrupt):
        train(tmp_path / "state")
    assert list((tmp_path / "state").glob("step-*.npz"))
    seen = []
    with progress.listen(lambda report: seen.append(report.done)):
        resumed = train(tmp_path / "state")
    assert seen[0] == 200
    assert same(whole, resumed)
    assert whole.history == resumed.history
    # What is finished is not trained again.
    again = train(tmp_path / "state")
    assert same(whole, again)
    assert again.steps == whole.steps


def test_the_state_of_another_training_is_passed_over(images, trained, tmp_path, caplog):
    base, state = tmp_path / "base", tmp_path / "state"
    serving.save_phase(trained, base)
    inverted = replace(images, images=255 - images.images)
    for table, phase, settings, given in [
        (images, REAL, config(), {"steps": 5}),
        (images, REAL, config(), {"steps": 5, "seed": 1}),
        (images, REAL, config(), {"steps": 4, "seed": 1}),
        (inverted, REAL, config(), {"steps": 4, "seed": 1}),
        (inverted, REAL, config(learning_rate=0.01), {"steps": 4, "seed": 1}),
        (inverted, REAL, config(learning_rate=0.01), {"steps": 4, "seed": 1, "base_model": base}),
    ]:
        found = train_classifier(table, phase, settings, **given, state_dir=state)
        assert same(found, train_classifier(table, phase, settings, **given))
    assert caplog.text.count("other settings or images") == 5
    caplog.clear()
    # What it depends on are the base model's weights, not the file, which is written anew.
    serving.save_phase(trained, base)
    assert same(found, train_classifier(table, phase, settings, **given, state_dir=state))
    assert not caplog.text


def test_progress_and_tensorboard_are_told(images, tmp_path):
    reports = []
    with progress.listen(reports.append):
        train_classifier(images, REAL, config(), steps=20, task="baseline", log_dir=tmp_path)
    assert {report.task for report in reports} == {"train baseline"}
    assert [report.done for report in reports] == [0, 12, 20]
    assert reports[-1].total == 20
    assert reports[-1].metrics["epoch"] == pytest.approx(20 * 16 / len(images))
    tags = {
        value.tag
        for file in tmp_path.glob("events.*")
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    }
    assert {"loss", "accuracy", "learning_rate"} <= tags


def test_the_logs_of_a_training_that_went_on_begin_at_its_beginning(images, tmp_path):
    for folder in ("first", "second"):
        train_classifier(images, REAL, config(), steps=20, state_dir=tmp_path / "state", log_dir=tmp_path / folder)
    steps = {
        event.step
        for file in (tmp_path / "second").glob("events.*")
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        if value.tag == "loss"
    }
    assert steps == {12, 20}


def test_a_loss_that_explodes_is_told_in_words(images):
    with pytest.raises(
        UserError, match=r"training\.learning_rate: .*'train classifier' was not finite by step .*lower"
    ):
        train_classifier(images, REAL, config(learning_rate=1e30), steps=60)


def test_mixed_precision_and_several_steps_per_execution_train_too(images):
    device = Device(precision="mixed_bfloat16", steps_per_execution=5)
    settings = ClassifierTraining(classifier=Classifier(name="cnn"), training=Training(batch_size=16), device=device)
    run = train_classifier(images, REAL, settings, steps=12)
    assert run.steps == 12
    assert run.device["precision"] == "mixed_bfloat16"
    assert np.isfinite(run.predict(images)).all()
    assert run.predict(images).dtype == np.float32
