"""Watching a generator: what is logged, which weights are kept, and that an interruption changes neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from evenhand import progress
from evenhand.config import Generator, Monitor
from evenhand.data.image_table import ImageTable
from evenhand.models.extractors.cnn import FEATURES, train_extractor
from evenhand.models.feature_extractor import FeatureExtractor
from evenhand.models.generator_artifact import GeneratorCard, save_generator
from evenhand.models.train_generator import GeneratorRun, train_generator
from evenhand.models.training.best_weights import BestWeights
from evenhand.models.training.conditional_generator import ConditionalGenerator
from evenhand.models.training.monitor import Reference, sample_grid
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
    # A class that is not among the held-out images takes no part.
    assert Reference(table, noise((8, 8, 1), (100, 0)), extractor).classes.tolist() == [0]


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


@pytest.mark.parametrize("on_disk", [False, True])
def test_best_weights_by_hand(on_disk: bool, tmp_path: Path) -> None:
    model = Number()
    best = BestWeights(model, tmp_path if on_disk else None)
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


def test_watching_changes_nothing_in_training() -> None:
    config = Generator(name="cgan", steps=100, batch_size=8)
    watched = config.model_copy(update={"monitor": Monitor(every=40, keep_best=False)})
    alone = config.model_copy(update={"monitor": None})
    pair = (train_generator(shades(), settings).model.weights for settings in (watched, alone))
    for one, two in zip(*pair, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two))
