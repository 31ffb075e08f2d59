"""What a search settles on and takes down, with generators and trials that only say what came of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evenhand import config_file
from evenhand.config import Generator, RunConfig
from evenhand.data.image_table import ImageTable
from evenhand.models.search.deadline import OutOfTime
from evenhand.models.search.halving import Trial
from evenhand.models.search.trial import TrialImages
from evenhand.pipeline import search, search_images
from evenhand.pipeline.output_folder import Claim
from evenhand.pipeline.search_images import SearchImages
from evenhand.pipeline.stages import StageOutcome
from evenhand.report.search_part import SearchPart, TriedGenerator

RATES = {"training.learning_rate": [0.001, 0.002, 0.003, 0.004]}
LABELS = np.repeat(np.arange(3, dtype=np.int32), 40)
Rights = Callable[[str, float], int]


def _table() -> ImageTable:
    ids = np.array([f"{index}.png" for index in range(len(LABELS))])
    return ImageTable(np.zeros((len(LABELS), 8, 8, 1), np.uint8), LABELS, ids, ("a", "b", "c"))


IMAGES = TrialImages(_table(), _table(), digest="images")


@pytest.fixture
def settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[RunConfig, SearchPart]]:
    """Settles a config by trials of 0.01 s a step, with as many images right as `rights(strategy, rate)` says."""

    def run(
        values: Mapping[str, Any], rights: Rights, *, draws: float = 20.0, spoilt: str = ""
    ) -> tuple[RunConfig, SearchPart]:
        class Images:
            """Real images, and generators that take so many seconds."""

            real = IMAGES

            def __init__(self, *arguments: object) -> None:
                pass

            def synthetic(self, generator: Generator, seconds: float) -> tuple[TrialImages | None, TriedGenerator]:
                if draws > seconds or generator.name == spoilt:
                    return None, TriedGenerator(name=generator.name, seconds=min(draws, seconds), fate="not done")
                made = replace(IMAGES, synthetic=IMAGES.train)
                return made, TriedGenerator(name=generator.name, seconds=draws, fate="trained")

        def trial(arm: Any, images: Any, settings: Any, *, steps: int, seconds_left: float, state_dir: Path) -> Any:
            common = settings.training.training
            rate = (common if arm.training is None else arm.training.of(common)).learning_rate
            # As many of each class.
            correct = np.arange(len(LABELS)) % 40 * 3 + LABELS < rights(arm.name, rate)
            return Trial(0.01 * steps, correct), False

        monkeypatch.setattr(search, "SearchImages", Images)
        monkeypatch.setattr(search, "run_trial", trial)
        config = config_file.resolve({"budget": "10m", **values})
        settled = search.settle(config, Claim(tmp_path, (), True, None))
        return settled, SearchPart.model_validate_json((tmp_path / "search.json").read_text())

    return run


def _rates(config: RunConfig) -> dict[str, float | None]:
    return {one.name: one.training.learning_rate if one.training else None for one in config.strategies}


def _tuning(strategies: object, fields: Mapping[str, Any] = RATES, **more: Any) -> dict[str, Any]:
    return {"strategies": strategies, "tuning": {"fields": fields}, **more}


def test_of_settings_that_cannot_be_told_apart_the_best_is_taken(settle: Any) -> None:
    settled, part = settle(
        _tuning(["baseline", "oversample"]), lambda name, rate: 60 + (rate == 0.003) - (name == "oversample") * rate
    )
    assert _rates(settled) == {"baseline": 0.003, "oversample": 0.003}
    assert any("settings of baseline, oversample could not be told apart" in note for note in part.notes)


def test_of_equal_scores_the_configs_own_value_is_taken_else_the_first(settle: Any) -> None:
    own = {"training": {"learning_rate": 0.002}}
    assert set(_rates(settle(_tuning(["baseline"], **own), lambda name, rate: 60)[0]).values()) == {0.002}
    none = {"training": {"learning_rate": 0.5}}
    assert set(_rates(settle(_tuning(["baseline"], **none), lambda name, rate: 60)[0]).values()) == {0.001}


def test_settings_that_differ_are_told_apart(settle: Any) -> None:
    settled, part = settle(_tuning(["baseline"]), lambda name, rate: 110 if rate == 0.002 else 20)
    assert _rates(settled) == {"baseline": 0.002}
    assert not part.notes


def test_the_order_of_the_ladder_decides_among_remedies(settle: Any) -> None:
    settled, part = settle({"strategies": "auto"}, lambda name, rate: 60 + (name == "focal"), draws=math.inf)
    assert [one.name for one in settled.strategies] == ["baseline", "randaugment"]
    assert any(note.startswith("Remedies: 3 of 3 in the last round") for note in part.notes)


def test_a_generator_is_charged_once(settle: Any) -> None:
    settled, part = settle(_tuning("auto", generator={"name": "class_vae"}), lambda name, rate: 60)
    assert [one.name for one in settled.strategies][2] == "pretrain_finetune"
    assert [(made.name, made.seconds) for made in part.generators] == [("class_vae", 20.0)]
    trials = sum(round_.seconds for one in part.tried for round_ in one.rounds)
    assert {one.stage for one in part.tried} == {"remedies", "synthetic images", "tuning"}
    # Besides, three stages have found out how long a step takes.
    assert trials + 20 <= part.seconds <= trials + 20 + 3 * 0.6
    again, more = settle(_tuning("auto", generator={"name": "cgan"}), lambda name, rate: 60, spoilt="cgan")
    assert again.generator.name == "class_vae"
    assert [(made.name, made.fate) for made in more.generators] == [("cgan", "not done"), ("class_vae", "trained")]


def test_without_the_generator_nothing_is_tuned(settle: Any) -> None:
    strategies = ["baseline", "oversample", "pretrain_finetune"]
    settled, part = settle(_tuning(strategies), lambda name, rate: 60 + (rate == 0.003), draws=math.inf)
    assert set(_rates(settled).values()) == {None}
    assert not part.tried
    assert any(note.startswith("Nothing was tuned, as the generator gave no images in time") for note in part.notes)


def test_what_changes_nothing_about_a_chosen_strategy_is_tuned_for_none(settle: Any) -> None:
    rotation = {"training.augmentation.rotation": [0, 20]}
    # Balanced classes: randaugment is tried first, and its augmentation joins what learns from synthetic images.
    settled, part = settle(_tuning("auto", RATES | rotation), lambda name, rate: 60 + (rate == 0.003))
    assert [one.name for one in settled.strategies][:2] == ["baseline", "randaugment"]
    assert set(_rates(settled).values()) == {0.003}
    tuned = [one for one in part.tried if one.stage == "tuning"]
    assert len(tuned) == 4 * 3 and all(set(one.setting) == set(RATES) for one in tuned)
    assert any("rotation was tuned for no strategy: randaugment has an augmentation" in note for note in part.notes)
    settled, part = settle(_tuning("auto", rotation), lambda name, rate: 60)
    assert all(one.training is None for one in settled.strategies)
    assert any(note.startswith("Nothing was tuned, as no other field") for note in part.notes)


def test_a_generator_that_was_too_slow_is_begun_again_by_another_search_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    digests = {"examples": "/examples"}

    def run(self: SearchImages, config: RunConfig, reach: str) -> dict[str, StageOutcome]:
        if reach == "real":
            return {"ImbalancedExampleGen": StageOutcome("ImbalancedExampleGen", 0.0, 0.0, dict(digests), {})}
        begun.append(reach)
        raise OutOfTime

    monkeypatch.setattr(SearchImages, "_run", run)
    monkeypatch.setattr(search_images, "load_table", lambda *arguments, **options: IMAGES.train)

    def is_begun(**values: Any) -> bool:
        config = config_file.resolve({"strategies": "auto", "budget": "10m", **values})
        before = len(begun)
        found, _ = SearchImages(config, Claim(tmp_path, (), True, None), None).synthetic(config.generator, 5.0)
        assert found is None
        return len(begun) > before

    assert [is_begun(), is_begun()] == [True, False]
    for other in (
        {"seed": 1},
        {"deterministic": False},
        {"synthetic": {"per_class": 5}},
        {"device": {"xla": True}},
        {"generator": {"steps": 5}},
    ):
        assert [is_begun(**other), is_begun(**other), is_begun()] == [True, False, False], json.dumps(other)
    digests["examples"] = "/others"
    assert [is_begun(), is_begun()] == [True, False]
