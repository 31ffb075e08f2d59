"""Looks at validation: what they log, that they change nothing, and that they go on after an interruption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from evenhand import progress
from evenhand.config import Classifier, EarlyStopping, Training
from evenhand.data.image_table import ImageTable
from evenhand.models.phase import Phase
from evenhand.models.train_classifier import ClassifierRun, ClassifierTraining, train_classifier
from evenhand.models.training.hparams import write_hparams
from evenhand.models.training.validation_watch import MOST_IMAGES, _spread, confusion_image
from tests.tables import noise

TRAIN, VALIDATION = noise((8, 8, 1), (12, 6, 4), seed=0), noise((8, 8, 1), (5, 3, 2), seed=1)
SCORE = "validation_balanced_accuracy"


def train(watched: ImageTable | None = VALIDATION, *, steps: int = 16, **places: Path) -> ClassifierRun:
    training = Training(batch_size=8, watch_every=8)
    config = ClassifierTraining(classifier=Classifier(name="cnn"), training=training)
    return train_classifier(TRAIN, Phase(on="real"), config, steps=steps, watched=watched, **places)


def scores(run: ClassifierRun) -> list[tuple[float, float]]:
    return [(row["step"], row[SCORE]) for row in run.history if SCORE in row]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClassifierRun, Path]:
    folder = tmp_path_factory.mktemp("logs")
    return train(log_dir=folder), folder


def test_the_last_look_is_at_the_finished_classifier(run: tuple[ClassifierRun, Path]) -> None:
    finished, _ = run
    assert [step for step, _ in scores(finished)] == [8, 16]
    right = finished.predict(VALIDATION).argmax(axis=1) == VALIDATION.labels
    by_hand = np.mean([right[VALIDATION.labels == label].mean() for label in range(3)])
    assert scores(finished)[-1][1] == pytest.approx(by_hand)


def test_looking_changes_nothing(run: tuple[ClassifierRun, Path]) -> None:
    finished, _ = run
    for a, b in zip(finished.weights, train(watched=None).weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_empty_validation_split_is_not_looked_at() -> None:
    assert scores(train(noise((8, 8, 1), (0, 0, 0), seed=0), steps=8)) == []


def test_looks_go_on_after_an_interruption(run: tuple[ClassifierRun, Path], tmp_path: Path) -> None:
    def interrupt(report: progress.Progress) -> None:
        if report.done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), progress.listen(interrupt):
        train(state_dir=tmp_path)
    assert scores(train(state_dir=tmp_path)) == scores(run[0])


def test_tensorboard_sees_recalls_confusions_and_settings(run: tuple[ClassifierRun, Path]) -> None:
    finished, folder = run
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {f"recall/{name}" for name in VALIDATION.class_names} | {SCORE, "confusion", f"final/{SCORE}"} <= tags
    assert "_hparams_/session_start_info" in set(events.summary_metadata) | tags
    # One file of the training, for all that is logged on the way, and one of its settings.
    assert len(list(folder.glob("*tfevents*"))) == 2


def test_a_confusion_image_by_hand() -> None:
    image = confusion_image(np.array([[3, 1], [0, 0]]))
    assert image.shape == (24, 24, 1)
    assert image[0, 0, 0] == round(255 * 0.25) and image[0, 12, 0] == round(255 * 0.75)
    assert (image[12:] == 255).all()


def test_a_large_validation_split_is_looked_at_in_part() -> None:
    many = noise((8, 8, 1), (MOST_IMAGES, MOST_IMAGES), seed=0)
    looked = _spread(many, MOST_IMAGES)
    assert len(looked) == MOST_IMAGES and abs(looked.class_counts[0] - looked.class_counts[1]) <= 1
    assert _spread(VALIDATION, MOST_IMAGES) is VALIDATION


def test_settings_may_be_anything(tmp_path: Path) -> None:
    write_hparams(tmp_path, {"a": {"b": [1, 2], "c": None}, "d": 0.5, "e": True, "f": "x"}, {"loss": 1.0})
    assert list(tmp_path.iterdir())


def test_it_stands_beside_early_stopping() -> None:
    training = Training(batch_size=8, watch_every=4, early_stopping=EarlyStopping(patience=1, every=4))
    config = ClassifierTraining(classifier=Classifier(name="cnn"), training=training)
    run = train_classifier(TRAIN, Phase(on="real"), config, steps=12, watched=VALIDATION, validation=VALIDATION)
    assert all("validation_loss" in row for row in run.history if SCORE in row)
