"""Watching a generator: what is logged, which weights are kept, and that an interruption changes neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from evenhand import progress, registry
from evenhand.config import Generator, Monitor
from evenhand.data.image_table import ImageTable
from evenhand.models.drawing_functions import sampler_in_memory
from evenhand.models.extractors.cnn import FEATURES, train_extractor
from evenhand.models.feature_extractor import FeatureExtractor
from evenhand.models.generator_artifact import GeneratorCard, save_generator
from evenhand.models.train_generator import GeneratorRun, train_generator
from evenhand.models.training import findings
from evenhand.models.training.best_weights import BestWeights
from evenhand.models.training.conditional_generator import ConditionalGenerator
from evenhand.models.training.monitor import SCORE, MonitorCallback, Reference, sample_grid, sample_grids
from tests.tables import noise


def shades() -> ImageTable:
    """Two classes that differ by brightness alone, with a little noise."""
    table = noise((8, 8, 1), (30, 12))
    dark = table.images // 8 + np.where(table.labels == 0, 10, 200).astype(np.uint8)[:, None, None, None]
    return ImageTable(dark, table.labels, table.ids, ("dark", "bright"))


def train(steps: int = 120, **settings: Any) -> GeneratorRun:
    config = Generator(name="cgan", steps=steps, batch_size=8, monitor=Monitor(every=40))
    return train_generator(shades(), config, **settings)


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return train_extractor(shades(), seed=0)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def run(logs: Path) -> GeneratorRun:
    return train(log_dir=logs)


def test_features_tell_the_classes_apart(extractor: FeatureExtractor) -> None:
    table = shades()
    features = extractor(table.images)
    assert features.shape == (42, FEATURES)
    centres = np.stack([features[table.labels == label].mean(axis=0) for label in (0, 1)])
    nearest = np.linalg.norm(features[:, None] - centres, axis=-1).argmin(axis=1)
    np.testing.assert_array_equal(nearest, table.labels)


def test_extractor_is_named_by_its_weights(extractor: FeatureExtractor) -> None:
    assert train_extractor(shades(), seed=0).name == extractor.name
    assert train_extractor(shades(), seed=1).name != extractor.name


def test_real_images_score_better_than_those_of_the_wrong_class(extractor: FeatureExtractor) -> None:
    table = shades()
    reference = Reference(table, None, extractor)
    images, labels = reference.draw(lambda labels, seeds: table.images[labels * 30 + seeds % 12])
    assert reference.name == "training images"
    right, diversity = reference.judge(images, labels)
    wrong, _ = reference.judge(table.images[np.full(len(labels), 3)], labels)
    assert right < wrong / 10
    assert diversity == pytest.approx([1.0, 1.0], abs=0.4)


def test_held_out_images_are_used_where_there_are_enough(extractor: FeatureExtractor) -> None:
    table = shades()
    many = noise((8, 8, 1), (60, 40))
    assert Reference(table, many, extractor).name == "held-out images"
    assert Reference(table, noise((8, 8, 1), (60, 39)), extractor).name == "training images"


def test_a_class_without_held_out_images_is_watched_too(extractor: FeatureExtractor) -> None:
    table = shades()
    reference = Reference(table, table.rows(np.arange(100) % 30), extractor)
    assert (reference.classes.tolist(), reference.compared.tolist()) == ([0, 1], [0])
    images, labels = reference.draw(lambda labels, seeds: table.images[np.where(labels == 0, seeds % 30, 33)])
    assert np.bincount(labels).tolist() == [64, 64]
    score, diversity = reference.judge(images, labels)
    assert diversity[0] == pytest.approx(1.0, abs=0.4)
    (found,) = findings.collapse(diversity, table.class_names)
    assert "'bright'" in found and "'dark'" not in found
    # There are no real images of it to compare with.
    others = np.where(labels[:, None, None, None] == 1, 255 - images, images)
    assert reference.judge(others, labels)[0] == score


def test_many_classes_are_drawn_together(extractor: FeatureExtractor) -> None:
    table = noise((8, 8, 1), (3,) * 40)
    calls: list[int] = []

    def sampler(labels: Any, seeds: Any) -> Any:
        calls.append(len(labels))
        return np.broadcast_to((labels + seeds)[:, None, None, None], (len(labels), 8, 8, 1)).astype(np.uint8)

    images, labels = Reference(table, None, extractor).draw(sampler)
    np.testing.assert_array_equal(labels, np.arange(40).repeat(25))
    np.testing.assert_array_equal(images[:, 0, 0, 0], labels + np.tile(np.arange(25), 40))
    assert calls == [64] * 16


def test_looks_are_logged(run: GeneratorRun, logs: Path) -> None:
    assert run.assessment is not None
    assert [row["step"] for row in run.assessment.scores[:-1]] == [40, 80, 120]
    events = [event for path in logs.glob("events*") for event in tf.compat.v1.train.summary_iterator(str(path))]
    tags: dict[str, set[int]] = {}
    for event in events:
        for value in event.summary.value:
            tags.setdefault(value.tag, set()).add(event.step)
    assert tags["samples"] == tags["frechet_distance"] == tags["generator_weight_norm"] == {40, 80, 120}
    assert tags["discriminator_gradient_norm"] == tags["real_accuracy"] == {50, 100, 120}


def test_the_best_weights_are_kept(run: GeneratorRun) -> None:
    assert run.assessment is not None
    *looks, kept = run.assessment.scores
    best = min(looks, key=lambda row: row["frechet_distance"])
    assert run.assessment.kept_step == kept["step"] == best["step"]
    # What is judged at the end is the model that is handed over.
    assert kept["frechet_distance"] == pytest.approx(best["frechet_distance"])


class Stopped(Exception):
    """A kill between two checkpoints, after a look that the newest checkpoint does not know."""


def test_an_interruption_changes_nothing(run: GeneratorRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenhand.models.training.generator_training.CHECKPOINT_EVERY_STEPS", 60)

    def interrupt(report: progress.Progress) -> None:
        if report.done >= 90:
            raise Stopped

    with pytest.raises(Stopped), progress.listen(interrupt):
        train(state_dir=tmp_path)
    resumed = train(state_dir=tmp_path)
    assert resumed.assessment == run.assessment
    for expected, actual in zip(run.model.weights, resumed.model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(expected), np.asarray(actual))


def scored(monkeypatch: pytest.MonkeyPatch, *scores: float) -> None:
    """Gives the looks these scores, and 100 to those that follow."""
    left = list(scores)

    def judge(self: Reference, images: Any, labels: Any) -> tuple[float, Any]:
        return left.pop(0) if left else 100.0, np.ones(2)

    monkeypatch.setattr(Reference, "judge", judge)


@pytest.mark.parametrize(
    ("every", "first", "second"),
    [
        (500, (5.0, 4.0), (1.0, 2.0, 3.0)),  # killed before the first checkpoint, and judged otherwise afterwards
        (60, (2.0, 1.0), (3.0, 4.0)),  # killed after a better look than the checkpoint knows, likewise
    ],
)
def test_best_weights_are_of_the_attempt_that_ended(
    every: int, first: tuple[float, ...], second: tuple[float, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evenhand.models.training.generator_training.CHECKPOINT_EVERY_STEPS", every)

    def interrupt(report: progress.Progress) -> None:
        if report.done >= 90:
            raise Stopped

    scored(monkeypatch, *first)
    with pytest.raises(Stopped), progress.listen(interrupt):
        train(state_dir=tmp_path)
    scored(monkeypatch, *second)
    resumed = train(state_dir=tmp_path)
    assert resumed.assessment is not None and resumed.assessment.kept_step == 40
    after_40 = train(steps=40).model
    for expected, actual in zip(after_40.trainable_weights, resumed.model.trainable_weights, strict=True):
        np.testing.assert_array_equal(np.asarray(expected), np.asarray(actual))


def test_a_warm_up_is_neither_kept_nor_logged_as_adversarial(monkeypatch: pytest.MonkeyPatch) -> None:
    scored(monkeypatch, 1.0, 2.0, 3.0, 4.0)
    options = {"warm_up_steps": 60}
    config = Generator(name="bagan", steps=160, batch_size=8, options=options, monitor=Monitor(every=40))
    run = train_generator(shades(), config)
    assert run.assessment is not None
    # 40 and 80 are before a whole interval of adversarial training.
    assert [row["step"] for row in run.assessment.scores] == [40, 80, 120, 160, 120]
    assert run.assessment.kept_step == 120
    assert "autoencoder_loss" in run.history[0] and "discriminator_loss" not in run.history[0]
    assert "discriminator_loss" in run.history[-1] and "autoencoder_loss" not in run.history[-1]


def test_a_resumed_training_does_not_keep_its_warm_up(extractor: FeatureExtractor) -> None:
    module = registry.load("models.generators", "bagan")
    model = module.build(module.Options(warm_up_steps=60), shades(), seed=0)
    reference, best = Reference(shades(), None, extractor), BestWeights(model)
    monitor = MonitorCallback(model, shades(), reference, sampler_in_memory(model), every=40, steps=160, best=best)
    monitor.resume([{"step": 40, SCORE: 1.0}, {"step": 80, SCORE: 2.0}])
    assert monitor.best_step is None
    monitor.resume([{"step": 80, SCORE: 1.0}, {"step": 120, SCORE: 2.0}])
    assert monitor.best_step == 120


def test_short_trainings_and_none_are_not_watched() -> None:
    assert train(steps=99).assessment is None
    config = Generator(name="cgan", steps=100, batch_size=8, monitor=None)
    assert train_generator(shades(), config).assessment is None


def test_the_card_keeps_the_assessment(run: GeneratorRun, tmp_path: Path) -> None:
    save_generator(run, tmp_path, class_names=("dark", "bright"))
    assert GeneratorCard.read(tmp_path).assessment == run.assessment


class Number(ConditionalGenerator):
    """One weight."""

    def __init__(self) -> None:
        super().__init__(image_shape=(1, 1, 1), num_classes=2, seed=0)
        self.value = self.add_weight(name="value", shape=(), initializer="zeros")
        self.set_updates(())

    def update_loss(self, update: Any, batch: Any, seed: Any) -> Any:
        raise AssertionError("nothing is trained")

    def sample(self, labels: Any, seeds: Any) -> Any:
        return tf.zeros((len(labels), 1, 1, 1)) + self.value


def test_best_weights_by_hand() -> None:
    model = Number()
    best = BestWeights(model)
    for step, score in ((10, 3.0), (20, 1.0), (30, 2.0), (40, 1.0), (50, float("nan"))):
        model.value.assign(float(step))
        model.step.assign(step)
        best.offer(step, score)
    best.put_back()
    assert (float(model.value), best.step, model.steps_done) == (20.0, 20, 50)


def test_grid_has_a_row_for_each_class() -> None:
    labels = np.repeat([2, 5], 9).astype(np.int32)
    images = np.repeat(labels, 6).reshape(18, 2, 3, 1).astype(np.uint8)
    grid = sample_grid(images, labels)
    assert grid.shape == (4, 24, 1)
    assert (grid[:2] == 2).all()
    assert (grid[2:] == 5).all()


def test_further_classes_stand_in_further_grids() -> None:
    labels = np.repeat(np.arange(23), 8).astype(np.int32)
    images = np.repeat(labels + 1, 6).reshape(-1, 2, 3, 1).astype(np.uint8)
    first, second = grids = sample_grids(images, labels)
    assert grids.shape == (2, 40, 24, 1)
    np.testing.assert_array_equal(first[::2, 0, 0], np.arange(1, 21))
    np.testing.assert_array_equal(second[::2, 0, 0], [21, 22, 23, *[0] * 17])
    few, kinds = images[labels < 3], labels[labels < 3]
    np.testing.assert_array_equal(sample_grids(few, kinds), sample_grid(few, kinds)[None])


def test_watching_changes_nothing_in_training() -> None:
    config = Generator(name="cgan", steps=100, batch_size=8)
    watched = config.model_copy(update={"monitor": Monitor(every=40, keep_best=False)})
    alone = config.model_copy(update={"monitor": None})
    pair = (train_generator(shades(), settings).model.weights for settings in (watched, alone))
    for one, two in zip(*pair, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two))
