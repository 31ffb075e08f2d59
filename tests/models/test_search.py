"""What a search is made of: the ladder, the end of time, and trials on the disk."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from evenhand import config_file, progress, registry
from evenhand.components import classifier_trainer
from evenhand.config import Classifier, Generator, Strategy, Training
from evenhand.data.image_table import ImageTable
from evenhand.models import arms
from evenhand.models.processor_time import ProcessorTime
from evenhand.models.search import ladder
from evenhand.models.search.deadline import OutOfTime, deadline
from evenhand.models.search.trial import TrialImages, TrialSettings, run_trial
from evenhand.models.train_classifier import ClassifierTraining
from evenhand.models.training import classification

TAIL = (100, 40, 10)


def test_every_rung_of_the_ladder_can_be_trained() -> None:
    for strategy in (*ladder.remedies(TAIL), *ladder.remedies((50, 50, 50))):
        assert all(phase.on == "real" for phase in arms.strategy_phases(strategy))
    for remedy in (None, *ladder.remedies(TAIL)):
        for strategy in ladder.with_synthetic(remedy):
            assert any(phase.uses_synthetic for phase in arms.strategy_phases(strategy))


def test_balanced_classes_are_not_balanced_again() -> None:
    names = {strategy.name for strategy in ladder.remedies((50, 45, 40))}
    assert not names & {"balanced_softmax", "oversample", "deferred", "class_weight"}
    assert ladder.remedies(TAIL)[0].name == "balanced_softmax"


def test_generators_that_make_sense() -> None:
    own = Generator(name="cgan", steps=7)
    assert ladder.generators(own, (40, 30), 32) == ()
    assert [(g.name, g.steps) for g in ladder.generators(own, TAIL, 32)] == [("cgan", 7), ("class_vae", 7)]
    assert [g.name for g in ladder.generators(own, TAIL, 128)] == ["cgan"]
    assert [g.name for g in ladder.generators(Generator(name="class_vae"), TAIL, 32)] == ["class_vae"]


def test_synthetic_images_join_the_best_remedy() -> None:
    [pretraining, *_] = ladder.with_synthetic(Strategy(name="logit_adjustment", options={"tau": 1.2}))
    assert arms.strategy_phases(pretraining)[-1].loss.options == {"tau": 1.2}
    randaugment = next(strategy for strategy in ladder.remedies(TAIL) if strategy.name == "randaugment")
    for strategy in ladder.with_synthetic(randaugment):
        last = arms.strategy_phases(strategy)[-1]
        assert last.loss.name == "balanced_softmax"
        assert last.augmentation is not None and last.augmentation.rand_augment is not None


def test_the_remedys_mixing_and_sampling_join_too() -> None:
    by_name = {one.name: one for one in ladder.with_synthetic(Strategy(name="cutmix"))}
    assert all(
        arms.strategy_phases(one)[-1].mixing.kind == "cutmix" for name, one in by_name.items() if name != "mixup"
    )
    assert arms.strategy_phases(by_name["mixup"])[-1].mixing.kind == "mixup"
    pretraining, *others = ladder.with_synthetic(Strategy(name="oversample"))
    assert arms.strategy_phases(pretraining)[-1].sampling == "balanced"
    assert all(arms.strategy_phases(one) for one in others)


def test_time_ends_work_that_is_not_done() -> None:
    with pytest.raises(OutOfTime), deadline(0.0):
        time.sleep(0.01)
        progress.advance("train", 10, 20)
    with deadline(0.0):
        time.sleep(0.01)
        progress.advance("train", 20, 20)
    progress.advance("train", 10, 20)


def test_processor_time_of_earlier_attempts_is_taken_to_be_alike() -> None:
    with ProcessorTime() as processor:
        deadline_ = time.process_time() + 0.05
        while time.process_time() < deadline_:
            pass
    assert processor.seconds >= 0.05
    assert processor.of(0.0) == processor.seconds
    assert processor.of(1000.0) > processor.seconds


@pytest.fixture(scope="module")
def images() -> TrialImages:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3, dtype=np.int32), 12)
    pixels = (rng.integers(0, 60, (36, 8, 8, 1)) + 80 * labels[:, None, None, None]).astype(np.uint8)
    ids = np.array([f"{index}.png" for index in range(36)])
    names = ("a", "b", "c")
    train, validation = np.arange(36) % 3 != 0, np.arange(36) % 3 == 0
    tables = [ImageTable(pixels[part], labels[part], ids[part], names) for part in (train, validation)]
    return TrialImages(*tables, digest="images", synthetic=tables[0])


def _settings(**training: object) -> TrialSettings:
    own = ClassifierTraining(classifier=Classifier(name="cnn"), training=Training(batch_size=8, **training))
    return TrialSettings(training=own, seed=0, deterministic=True)


def _arm(name: str) -> arms.Arm:
    return arms.plan_arms(config_file.resolve({"strategies": ["baseline", name] if name != "baseline" else [name]}))[-1]


def test_a_trial_is_trained_once(images: TrialImages, tmp_path: Path) -> None:
    arm = arms.plan_arms(config_file.resolve({"strategies": ["baseline", "pretrain_finetune"]}))[1]
    first, was_known = run_trial(arm, images, _settings(), steps=6, seconds_left=600, state_dir=tmp_path)
    assert not was_known and first.failure is None
    assert first.score is not None and first.score.shape == (12,)
    again, is_known = run_trial(arm, images, _settings(), steps=6, seconds_left=600, state_dir=tmp_path)
    assert (
        is_known
        and np.array_equal(again.score, first.score)
        and again.seconds == pytest.approx(first.seconds, abs=0.01)
    )
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]
    # The steps of the run are not those of the trial, but its rate is.
    assert run_trial(arm, images, _settings(steps=77), steps=6, seconds_left=600, state_dir=tmp_path)[1]
    assert not run_trial(arm, images, _settings(learning_rate=0.1), steps=6, seconds_left=600, state_dir=tmp_path)[1]


def test_a_trial_of_another_version_is_trained_again(
    images: TrialImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert classifier_trainer.VERSION == classification.VERSION

    def is_known() -> bool:
        return run_trial(_arm("baseline"), images, _settings(), steps=2, seconds_left=600, state_dir=tmp_path)[1]

    assert [is_known(), is_known()] == [False, True]
    monkeypatch.setattr(classification, "VERSION", "another")
    assert [is_known(), is_known()] == [False, True]
    # A loss of the user's own that says something else.
    monkeypatch.setattr(registry, "code_digest", lambda kind, name: kind)
    assert [is_known(), is_known()] == [False, True]


def test_a_trial_that_fails_says_why(images: TrialImages, tmp_path: Path) -> None:
    arm = _arm("baseline")
    trial, _ = run_trial(arm, images, _settings(learning_rate=1e30), steps=20, seconds_left=600, state_dir=tmp_path)
    assert trial.score is None and "not finite" in str(trial.failure)


def test_a_trial_without_time_ends_and_is_tried_again_with_more(images: TrialImages, tmp_path: Path) -> None:
    arm = _arm("baseline")
    stopped, _ = run_trial(arm, images, _settings(), steps=400, seconds_left=0.01, state_dir=tmp_path)
    assert stopped.score is None and stopped.seconds <= 0.01
    assert run_trial(arm, images, _settings(), steps=400, seconds_left=0.01, state_dir=tmp_path)[1]
    whole, was_known = run_trial(arm, images, _settings(), steps=400, seconds_left=600, state_dir=tmp_path)
    assert whole.score is not None and not was_known
