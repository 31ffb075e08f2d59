"""`strategies: auto`, `budget` and `tuning`: what they become, and what is said of those that cannot be."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml

from evenhand import config_file
from evenhand.config import OwnTraining, Training, own_training
from evenhand.config.search import duration_seconds
from evenhand.errors import UserError
from evenhand.models.arms import plan_arms

AUTO = {"strategies": "auto", "budget": "30m"}
OPERATIONS = "training.augmentation.rand_augment.operations"
RATES = {"training.learning_rate": [0.001, 0.003]}


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400)])
def test_durations(text: str, seconds: int) -> None:
    assert duration_seconds(text) == seconds


def test_auto_is_written_and_read_again() -> None:
    config = config_file.resolve({**AUTO, "tuning": {"fields": RATES, "trials": 2}})
    assert config.is_searched and config.budget_seconds == 1800
    written = yaml.safe_load(config_file.dump(config))
    assert written["strategies"] == "auto"
    assert config_file.resolve(written) == config
    assert not config_file.resolve({}).is_searched


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"strategies": "auto"}, "needs a budget"),
        ({"budget": "30m"}, "budget is that of a search"),
        ({**AUTO, "budget": "30"}, "'30' is no duration"),
        ({**AUTO, "budget": "0s"}, "is no duration"),
        ({**AUTO, "budget": 90}, "budget: should be a time such as 30m or 90s, not 90; change"),
        ({**AUTO, "strategies": "otto"}, "or auto, not 'otto'"),
        ({"strategies": []}, "with baseline in it, or auto"),
        ({**AUTO, "data": {"splits": {"validation": 0}}}, "needs a validation split"),
        ({**AUTO, "evaluation": {"select": "oversample"}}, "evaluation.select"),
        ({**AUTO, "tuning": {"fields": {}}}, "name at least one field"),
        ({**AUTO, "tuning": {"fields": {"training.learning_rate": 3}}}, "a list of values, or low and high"),
        ({**AUTO, "tuning": {"fields": {"training.learning_rate": [1, 1]}}}, "values that differ"),
        (
            {**AUTO, "tuning": {"fields": {"training.learning_rate": [1, -1]}}},
            "-1: should be greater than 0;",
        ),
        (
            {**AUTO, "tuning": {"fields": {"training.learning_rate": {"low": 2, "high": 1}}}},
            ": low must be less",
        ),
        ({**AUTO, "tuning": {"fields": {"training.learning_rate": {"low": 1, "high": 2}}}}, "set tuning.trials"),
        ({**AUTO, "tuning": {"fields": {"training.steps": [1, 2]}}}, "training.steps cannot be tuned"),
        ({**AUTO, "tuning": {"fields": {"generator.steps": [1, 2]}}}, "generator.steps cannot be tuned"),
        ({**AUTO, "tuning": {"fields": {"training.augmentation.rotate": [1, 2]}}}, "training.augmentation.rotate"),
        ({"budget": "9m", "tuning": {"fields": {"strategies.mixup.options.mixing": [1, 2]}}}, "mixup is not among"),
        (
            {"budget": "9m", "tuning": {"fields": {"strategies.pretrain_finetune.options.loss.options.tau": [1, 2]}}},
            r"options.loss.options.tau cannot be tuned.* list values of strategies.pretrain_finetune.options.loss;",
        ),
        (
            {"budget": "9m", "tuning": {"fields": {"strategies.my_package.mine.options.a.b": [1, 2]}}},
            "my_package.mine is not among",
        ),
        ({**AUTO, "tuning": {"fields": {"strategies.mixup": [1, 2]}}}, "strategies.mixup cannot be tuned"),
        *(
            ({**AUTO, "tuning": {"fields": {"training.learning_rate": {"low": low, "high": high}}, "trials": 2}}, said)
            for low, high, said in (
                (0.1, math.inf, "high: should be a finite number"),
                (-math.inf, 0.1, "low: should be a finite number"),
                (0.1, math.nan, "high: should be a finite number"),
                (-1.7e308, 1.7e308, "too far apart"),
            )
        ),
        *(
            ({**AUTO, "tuning": {"fields": {OPERATIONS: {"low": low, "high": high}}, "trials": 3}}, said)
            for low, high, said in (
                (1, 4, f"{OPERATIONS} takes whole numbers only, and a range gives fractions: list the values"),
                (1, 5, "takes whole numbers only, and a range gives fractions"),
                (1.5, 2.5, "takes whole numbers only, and a range gives fractions"),
            )
        ),
    ],
)
def test_what_cannot_be_searched_is_said(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        config_file.resolve(values)
    assert raised.value.exit_code == 2


def test_a_graph_is_not_drawn_before_the_search() -> None:
    with pytest.raises(UserError, match="must be searched for first"):
        plan_arms(config_file.resolve(AUTO))


def test_what_a_strategy_sets_for_itself() -> None:
    training = Training(learning_rate=0.1)
    own = own_training(training, {"training.augmentation.flip": True, "strategies.mixup.options.loss": "focal"})
    assert own is not None and own.learning_rate is None
    assert own.of(training).learning_rate == 0.1
    assert own.of(training).augmentation == training.augmentation.model_copy(update={"flip": True})
    bare = own_training(training, {"training.augmentation": None})
    assert bare is not None and bare.of(training).augmentation.rotation == 0.0
    assert own_training(training, {}) is None
    assert OwnTraining().of(training) == training
