"""The settings of a tuning: equally many, the same of what strategies share, and refused where they cannot be."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand import config_file
from evenhand.config import RunConfig, Strategy, Tuning
from evenhand.errors import UserError
from evenhand.models import arms
from evenhand.models.search.tuned_fields import (
    apply,
    check,
    is_as_configured,
    settings_of,
    tuned_strategies,
    with_tuned,
    without_effect,
)

TWO = (Strategy(name="baseline"), Strategy(name="oversample"))
RATE, ROTATION = "training.learning_rate", "training.augmentation.rotation"


def tuned(strategies: object, fields: dict[str, object], trials: int | None = None) -> RunConfig:
    """A config that tunes fields of some strategies."""
    return config_file.resolve(
        {"strategies": strategies, "budget": "1m", "tuning": {"fields": fields, "trials": trials}}
    )


def test_lists_give_every_combination_once() -> None:
    tuning = Tuning(fields={"training.learning_rate": (0.1, 0.2), "training.augmentation.rotation": (0, 5, 9)})
    found = settings_of(tuning, TWO, seed=0)
    assert list(found) == ["baseline", "oversample"]
    pairs = {
        (setting["training.learning_rate"], setting["training.augmentation.rotation"]) for setting in found["baseline"]
    }
    assert len(found["baseline"]) == len(pairs) == 6
    assert found["baseline"] == found["oversample"]


@given(st.integers(2, 30), st.integers(0, 1000))
def test_every_strategy_has_as_many_settings_and_shares_the_draws(trials: int, seed: int) -> None:
    fields = {
        "training.learning_rate": {"low": 1e-4, "high": 1e-2, "scale": "log"},
        "strategies.oversample.options.sampling": ["balanced", "sqrt"],
    }
    found = settings_of(Tuning(fields=fields, trials=trials), TWO, seed)
    assert [len(settings) for settings in found.values()] == [trials, trials]
    rates = [[setting["training.learning_rate"] for setting in settings] for settings in found.values()]
    assert rates[0] == rates[1]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates[0])
    assert found == settings_of(Tuning(fields=fields, trials=trials), TWO, seed)


def test_unequal_numbers_of_trials_are_refused() -> None:
    tuning = Tuning(fields={"strategies.oversample.options.sampling": ("balanced", "sqrt")})
    with pytest.raises(UserError, match="baseline has 1 combination of values and others get 2 trials"):
        settings_of(tuning, TWO, seed=0)


def test_where_strategies_are_not_known_yet_the_shared_fields_must_suffice() -> None:
    values = {"strategies": "auto", "budget": "1m"}
    fields = {"strategies.oversample.options.sampling": ["balanced", "sqrt"], "training.learning_rate": [0.1, 0.2]}
    config = config_file.resolve({**values, "tuning": {"fields": fields}})
    check(config)
    found = settings_of(config.tuning, TWO, seed=0, fewest=True)
    assert [len(settings) for settings in found.values()] == [2, 2]
    with pytest.raises(UserError, match="have 2 combinations"):
        check(config_file.resolve({**values, "tuning": {"fields": fields, "trials": 3}}))


def test_a_setting_becomes_part_of_its_strategy_and_of_its_twin() -> None:
    config = config_file.resolve({"strategies": ["baseline", "pretrain_finetune"]})
    setting = {
        "training.learning_rate": 0.01,
        "training.augmentation.rotation": 3.0,
        "strategies.pretrain_finetune.options.pretrain_share": 0.5,
    }
    tuned = apply(config, config.strategies[1], setting)
    changed = config.model_copy(update={"strategies": (config.strategies[0], tuned)})
    baseline, arm, twin = arms.plan_arms(config_file.resolve(changed.model_dump(mode="json")))
    assert baseline.training is None and [phase.share for phase in arm.phases] == [0.5, 0.5]
    assert arm.matched == twin.name and twin.training == arm.training
    training = arm.training.of(config.training)
    assert (training.learning_rate, training.steps) == (0.01, config.training.steps)
    assert training.augmentation.rotation == 3.0 and training.augmentation.shift == config.training.augmentation.shift


def test_a_control_follows_what_it_controls() -> None:
    names = ["baseline", "pretrain_finetune", "shuffled_synthetic", "synthetic_only"]
    config = config_file.resolve({"strategies": names})
    assert [strategy.name for strategy in tuned_strategies(config)] == names[:2]
    setting = {"training.learning_rate": 0.01, "strategies.pretrain_finetune.options.pretrain_share": 0.5}
    tuned = {"pretrain_finetune": apply(config, config.strategies[1], setting)}
    baseline, strategy, control, other = (with_tuned(one, tuned) for one in config.strategies)
    assert (baseline, other) == (config.strategies[0], config.strategies[3])
    assert control.training == strategy.training is not None
    assert [phase.share for phase in arms.strategy_phases(control)] == [0.5, 0.5]


def test_an_option_that_there_is_not_is_named() -> None:
    config = config_file.resolve({"strategies": ["baseline", "oversample"]})
    with pytest.raises(UserError, match="samplings"):
        apply(config, config.strategies[1], {"strategies.oversample.options.samplings": "sqrt"})


@pytest.mark.parametrize("strategies", ["auto", ["baseline", "pretrain_finetune", "smote_svm"]])
@pytest.mark.parametrize(
    ("path", "values", "sentence"),
    [
        (
            "strategies.pretrain_finetun.options.loss",
            ["focal"],
            "unknown name 'pretrain_finetun'|not among the strategies",
        ),
        ("strategies.pretrain_finetune.options.pretrain_shar", [0.2, 0.3], "pretrain_shar"),
        ("strategies.pretrain_finetune.options.pretrain_share", [0.2, 5.0], "pretrain_share"),
        ("strategies.smote_svm.options.c", [1.0, 2.0], "smote_svm is not tuned"),
        ("strategies.pretrain_finetune.options.loss.options.tau", [1.0, 2.0], "list values of .*options.loss;"),
        ("strategies.randaugment.options.operations", {"low": 1, "high": 4}, "whole numbers only|not among"),
    ],
)
def test_what_cannot_be_tuned_is_told_before_anything_is_read(strategies, path, values, sentence) -> None:
    given = {"strategies": strategies, "budget": "1m"}
    fields = {path: values, "training.learning_rate": [0.1, 0.2]}
    with pytest.raises(UserError, match=sentence):
        check(config_file.resolve({**given, "tuning": {"fields": fields, "trials": 2}}))


BY, BETA = "strategies.class_weight.options.by", "strategies.class_weight.options.beta"


def test_options_that_would_have_no_effect_are_told_before_a_search_chooses() -> None:
    def searched(fields: dict[str, object]) -> RunConfig:
        return tuned("auto", {"training.learning_rate": [0.1, 0.2], **fields})

    # A search tries class weights by effective numbers, which beta is of.
    check(searched({BETA: [0.9, 0.99]}))
    with pytest.raises(UserError, match=r"options\.beta: 0\.9 has no effect with by: inverse"):
        check(searched({BY: ["effective_number", "inverse"], BETA: [0.9, 0.99]}))
    named = [{"name": "class_weight", "options": {"by": "effective_number"}}, "baseline"]
    check(tuned(named, {"training.learning_rate": [0.1, 0.2], BETA: [0.9, 0.99]}, trials=2))
    own = {"name": "oversample", "training": {"augmentation": {}}}
    augmentations = {"strategies.oversample.options.augmentation": [{}, {"rotation": 5}]}
    with pytest.raises(UserError, match=r"oversample\.training\.augmentation: has no effect"):
        check(tuned([own, "baseline"], {"training.learning_rate": [0.1, 0.2], **augmentations}))


@given(
    st.lists(st.integers(1, 4), max_size=2),
    st.lists(st.integers(1, 4), max_size=2),
    st.integers(2, 40),
    st.integers(0, 99),
)
def test_own_options_change_nothing_about_what_is_shared(shared, own, trials: int, seed: int) -> None:
    names = ("a", "b", "c")
    fields = {f"training.{index}": tuple(range(size)) for index, size in enumerate(shared)}
    for name in names[1:]:
        # The lists of `c` are longer than those of `b`, and `a` has none.
        longer = name == "c"
        fields |= {f"strategies.{name}.options.{i}": tuple(range(size + longer)) for i, size in enumerate(own)}
    if not fields:
        return
    strategies = [Strategy.model_construct(name=name, options={}) for name in names]
    tuning = Tuning(fields=fields, trials=trials)
    try:
        found = settings_of(tuning, strategies, seed)
    except UserError as error:
        assert "would not be fair" in str(error)
        return
    first = [[(path, value) for path, value in setting.items() if path in tuning.shared] for setting in found["a"]]
    for settings in found.values():
        assert [[item for item in setting.items() if item[0] in tuning.shared] for setting in settings] == first
        assert len({tuple(sorted(setting.items())) for setting in settings}) == len(settings) == trials


def test_strategies_with_own_options_try_the_same_of_what_they_share() -> None:
    fields = {RATE: [0.1, 0.2, 0.3, 0.4, 0.5], ROTATION: [0, 10, 20]}
    own = {"strategies.oversample.options.sampling": ["balanced", "sqrt"]}
    found = settings_of(Tuning(fields=fields | own, trials=6), TWO, seed=0)
    pairs = {name: [(one[RATE], one[ROTATION]) for one in settings] for name, settings in found.items()}
    assert pairs["baseline"] == pairs["oversample"] and len(set(pairs["baseline"])) == 6
    assert pairs["baseline"] == [
        (one[RATE], one[ROTATION]) for one in settings_of(Tuning(fields=fields, trials=6), TWO, 0)["baseline"]
    ]
    assert {one["strategies.oversample.options.sampling"] for one in found["oversample"]} == {"balanced", "sqrt"}


def test_all_combinations_where_the_shared_ones_are_fewer() -> None:
    names = [Strategy(name="oversample"), Strategy(name="pretrain_finetune")]
    own = {f"strategies.{one.name}.options.sampling": ["balanced", "sqrt", "instance"] for one in names}
    for trials in (None, 6):
        found = settings_of(Tuning(fields={RATE: [0.1, 0.2], **own}, trials=trials), names, seed=3)
        for settings in found.values():
            everything = itertools.product([0.1, 0.2], ["balanced", "sqrt", "instance"])
            assert sorted(tuple(one.values()) for one in settings) == sorted(everything)


def test_a_few_of_many_combinations_need_no_memory() -> None:
    values = [0.001 + index / 1e6 for index in range(900)]
    options = [f"strategies.oversample.options.{letter}" for letter in "abcdefg"]
    fields = {RATE: values, ROTATION: values, **dict.fromkeys(options, values)}
    found = settings_of(Tuning(fields=fields, trials=5), TWO, seed=0)
    assert [len(settings) for settings in found.values()] == [5, 5]


@pytest.mark.parametrize("strategies", ["auto", ["baseline", "oversample"]])
def test_too_many_combinations_are_refused(strategies: object) -> None:
    values = [0.001 + index / 1e6 for index in range(40)]
    config = tuned(strategies, {RATE: values, ROTATION: values})
    with pytest.raises(UserError, match="1600 combinations, and each strategy gets 1000 trials at most; set tuning"):
        check(config)
    check(tuned(strategies, {RATE: values, ROTATION: values}, trials=5))


def test_a_value_that_cannot_be_is_told_with_its_field() -> None:
    config = config_file.resolve({})
    with pytest.raises(UserError, match=r"tuning.fields: training.augmentation.rotation cannot be 400"):
        apply(config, config.strategies[0], {ROTATION: 400})


def test_what_changes_nothing_about_a_strategy_is_refused() -> None:
    fields = {RATE: [0.1, 0.2], ROTATION: [0, 10]}
    own = {"name": "oversample", "options": {"augmentation": {"rotation": 5}}}
    for strategy, name in (("randaugment", "randaugment"), (own, "oversample")):
        with pytest.raises(UserError, match=f"tuning.fields.{ROTATION}: it changes nothing about {name}, which has"):
            check(tuned(["baseline", strategy], fields))
        check(tuned(["baseline", strategy], {RATE: [0.1, 0.2]}))
    # An augmentation of its own that is only tried is one, too.
    option = {"strategies.oversample.options.augmentation": [None, {"rotation": 5}]}
    with pytest.raises(UserError, match="changes nothing about oversample"):
        check(tuned(["baseline", "oversample"], fields | option, trials=4))
    # What a search chooses is not known yet: it says so then.
    config = tuned("auto", fields)
    check(config)
    assert without_effect(config, (*TWO, Strategy(name="randaugment"))) == {ROTATION: "randaugment"}
    assert not without_effect(config, TWO)


def test_which_setting_is_what_the_config_has_anyway() -> None:
    config = config_file.resolve({"training": {"learning_rate": 0.25}})
    oversample = Strategy(name="oversample", options={"sampling": "sqrt"}, training={"learning_rate": 0.5})

    def found(strategy: Strategy, **values: object) -> bool:
        names = {"rate": RATE, "sampling": "strategies.oversample.options.sampling"}
        setting = {names[key]: value for key, value in values.items()}
        return is_as_configured(config, strategy, apply(config, strategy, setting))

    assert found(TWO[0], rate=0.25) and not found(TWO[0], rate=0.5)
    assert found(oversample, rate=0.5) and not found(oversample, rate=0.25)
    assert found(TWO[1], sampling="balanced") and not found(oversample, sampling="balanced")
