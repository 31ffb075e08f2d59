"""Which settings a tuning tries: as many of each strategy, and the same ones wherever strategies share the fields."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evenhand import registry
from evenhand.config import Range, RunConfig, Strategy, Training, Tuning, own_training, parse_options
from evenhand.config.search import MOST_TRIALS, ONLY_WHOLE, samples, strategy_option, wants_whole_numbers
from evenhand.errors import UserError
from evenhand.models.arms import BASELINE, arm_of, check_own_training, has_own_augmentation, strategy_phases
from evenhand.models.search import ladder

Setting = Mapping[str, Any]
Fields = Mapping[str, tuple[Any, ...] | Range]


def settings_of(
    tuning: Tuning, strategies: Sequence[Strategy], seed: int, *, fewest: bool = False
) -> dict[str, list[Setting]]:
    """The settings of each strategy, equally many, with the same values of the fields that all share.

    Every combination of the values in lists, or `trials` different ones; values of a range are drawn. What is shared is
    drawn alone, so that a strategy's own options change nothing about it.

    Args:
      tuning: fields and trials.
      strategies: those that are tuned.
      seed: of the draws.
      fewest: give every strategy no more than the one with fewest combinations has.

    Returns:
      Strategy -> settings, each dotted path -> value.

    Raises:
      UserError: if a strategy has fewer combinations than others get, or there are more than 1000.
    """
    numbers = {one.name: _num_combinations({**tuning.shared, **tuning.own(one.name)}) for one in strategies}
    trials = tuning.trials or (min if fewest else max)(numbers.values())
    if fewest:
        trials = min(trials, *numbers.values())
    _check_numbers(numbers, trials)
    trials = int(trials)
    shared = _draws(tuning.shared, trials, np.random.default_rng([seed, 0x7475]))
    settings: dict[str, list[Setting]] = {}
    for one in strategies:
        rng = np.random.default_rng([seed, 0x7475, 1])
        own = _draws(tuning.own(one.name), trials, rng)
        # By chance, since values of one list in their order would go with those of another in theirs.
        own = [own[place] for place in rng.permutation(len(own))]
        settings[one.name] = [
            {**shared[index % len(shared)], **own[(index % len(shared) + index // len(shared)) % len(own)]}
            for index in range(trials)
        ]
    return settings


def _check_numbers(numbers: Mapping[str, float], trials: float) -> None:
    """Raises `UserError` unless every strategy has as many combinations as trials, and not too many."""
    for name, number in numbers.items():
        if number < trials:
            raise UserError(
                "tuning.fields",
                f"{name} has {number} combination{'s' if number > 1 else ''} of values and others get {trials} trials, "
                "so that the comparison would not be fair",
                "tune a field that all share, such as training.learning_rate, with enough values, or set tuning.trials",
            )
    if trials > MOST_TRIALS:
        raise UserError(
            "tuning.fields",
            f"the values have {trials} combinations, and each strategy gets {MOST_TRIALS} trials at most",
            "set tuning.trials, or give fewer values",
        )


def tuned_strategies(config: RunConfig) -> tuple[Strategy, ...]:
    """The strategies that are tuned: all but controls, which go by what they control, and what scikit-learn fits."""
    return tuple(strategy for strategy in config.strategies if arm_of(config, strategy).is_candidate)


def check(config: RunConfig) -> None:
    """Raises `UserError` if a tuned field does not fit the strategies of the config, before anything is read."""
    if config.tuning is None:
        return
    for path, values in config.tuning.fields.items():
        _check_option(config, path, values)
    if not config.strategies:
        # What will be chosen is not known, but it has at least the fields that all share.
        shared = _num_combinations(config.tuning.shared)
        if shared < (config.tuning.trials or 2):
            raise UserError(
                "tuning.fields",
                f"the fields that all strategies share have {shared} combination{'s' if shared > 1 else ''} of values",
                f"give training.learning_rate, say, at least {config.tuning.trials or 2} values",
            )
        settings_of(config.tuning, (BASELINE,), config.seed)
        _check_together(config)
        return
    tuned = tuned_strategies(config)
    for path, name in without_effect(config, tuned).items():
        raise UserError(
            f"tuning.fields.{path}",
            f"it changes nothing about {name}, which has an augmentation of its own, so that trials would be alike",
            f"leave out the field or {name}",
        )
    settings = settings_of(config.tuning, tuned, config.seed)
    for strategy in tuned:
        for setting in settings[strategy.name]:
            apply(config, strategy, setting)


def _check_option(config: RunConfig, path: str, values: tuple[Any, ...] | Range) -> None:
    """Looks whether a strategy's option is one, takes the values, and is of a strategy that is tuned."""
    name, _ = strategy_option(path)
    if not name:
        return
    registry.check("models.strategies", name, "tuning.fields")
    strategy = next((one for one in config.strategies if one.name == name), ladder.as_tried(name))
    if not arm_of(config, strategy).is_candidate:
        raise UserError(
            f"tuning.fields.{path}",
            f"{name} is not tuned: controls go by what they control, and scikit-learn's are fitted as they are",
            "tune another strategy",
        )
    for value in samples(values):
        try:
            apply(config, strategy, {path: value})
        except UserError as error:
            if wants_whole_numbers(values, error):
                raise UserError(f"tuning.fields.{path}", ONLY_WHOLE, "list the values to try") from error
            raise


def _check_together(config: RunConfig) -> None:
    """Looks whether the options of strategies that are not chosen yet go together, since a search would fail of it."""
    assert config.tuning is not None, "only what is tuned is asked for"
    names = [strategy_option(path)[0] for path in config.tuning.fields]
    for name in dict.fromkeys(filter(None, names)):
        own = config.tuning.own(name)
        combinations = itertools.product(*map(samples, own.values()))
        for values in itertools.islice(combinations, MOST_TRIALS):
            apply(config, ladder.as_tried(name), dict(zip(own, values, strict=True)))


def without_effect(config: RunConfig, strategies: Sequence[Strategy]) -> dict[str, str]:
    """Tuned fields that change nothing about a strategy, as all its phases have an augmentation of their own.

    Args:
      config: with a tuning.
      strategies: those that are tuned.

    Returns:
      Dotted path -> the first such strategy.
    """
    assert config.tuning is not None, "only what is tuned is asked for"
    paths = [path for path in config.tuning.fields if path.startswith("training.augmentation")]
    if not paths:
        return {}
    for one in strategies:
        # An augmentation of its own may be among the values to try, too.
        fields = config.tuning.own(one.name).items()
        tried = [one, *(apply(config, one, {path: value}) for path, values in fields for value in samples(values))]
        if any(has_own_augmentation(strategy_phases(strategy)) for strategy in tried):
            return dict.fromkeys(paths, one.name)
    return {}


def apply(config: RunConfig, strategy: Strategy, setting: Setting) -> Strategy:
    """The strategy with the values of a setting.

    Raises:
      UserError: if an option is unknown, or a value not possible or without effect.
    """
    options = dict(strategy.options)
    for path, value in setting.items():
        name, option = strategy_option(path)
        if name == strategy.name:
            options[option] = value
    try:
        own = own_training(_training_of(config, strategy), setting)
    except ValueError as error:
        raise UserError("tuning.fields", str(error), "correct its values") from error
    given = {} if strategy.training is None else dict(strategy.training)
    training = strategy.training if own is None else own.model_copy(update=_unset(given, own))
    tuned = strategy.model_copy(update={"options": options, "training": training})
    check_own_training(tuned, strategy_phases(tuned))
    return tuned


def is_as_configured(config: RunConfig, strategy: Strategy, tuned: Strategy) -> bool:
    """Whether a setting of a strategy is what the config has anyway."""
    if _training_of(config, strategy) != _training_of(config, tuned):
        return False
    return strategy_phases(strategy) == strategy_phases(tuned)


def _training_of(config: RunConfig, strategy: Strategy) -> Training:
    return config.training if strategy.training is None else strategy.training.of(config.training)


def with_tuned(strategy: Strategy, tuned: Mapping[str, Strategy]) -> Strategy:
    """What a strategy becomes when others are tuned: itself tuned, or the control of what is now tuned.

    Args:
      strategy: of the run.
      tuned: tuned strategies by name.
    """
    if strategy.name in tuned:
        return tuned[strategy.name]
    module = registry.load("models.strategies", strategy.name)
    controlled = getattr(parse_options(module.Options, strategy.options, "strategies"), "of", None)
    if controlled is None or controlled not in tuned:
        return strategy
    options = {**strategy.options, "of": controlled, "options": tuned[controlled].options}
    return strategy.model_copy(update={"options": options, "training": tuned[controlled].training})


def _unset(given: Mapping[str, Any], own: Any) -> dict[str, Any]:
    """What the strategy had set for itself and the setting leaves alone."""
    return {name: value for name, value in given.items() if getattr(own, name) is None}


def _num_combinations(fields: Fields) -> float:
    if _has_range(fields):
        return math.inf
    return math.prod(len(values) for values in fields.values() if not isinstance(values, Range))


def _has_range(fields: Fields) -> bool:
    return any(isinstance(values, Range) for values in fields.values())


def _draws(fields: Fields, number: int, rng: np.random.Generator) -> list[Setting]:
    """So many settings, or every combination in the order of the lists where there are no more."""
    if _has_range(fields):
        drawn = {path: [_draw(values, rng) for _ in range(number)] for path, values in sorted(fields.items())}
        return [{path: drawn[path][index] for path in fields} for index in range(number)]
    lists = {path: values for path, values in fields.items() if not isinstance(values, Range)}
    if _num_combinations(fields) <= number:
        return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
    # One by one, as all combinations may be more than a memory holds.
    places: set[tuple[int, ...]] = set()
    while len(places) < number:
        places.add(tuple(int(rng.integers(len(values))) for values in lists.values()))
    return [
        {path: values[place] for (path, values), place in zip(lists.items(), chosen, strict=True)}
        for chosen in sorted(places)
    ]


def _draw(values: tuple[Any, ...] | Range, rng: np.random.Generator) -> Any:
    if not isinstance(values, Range):
        return values[int(rng.integers(len(values)))]
    if values.scale == "log":
        drawn = float(np.exp(rng.uniform(np.log(values.low), np.log(values.high))))
    else:
        drawn = float(rng.uniform(values.low, values.high))
    # Four digits say as much, and can be read in a config.
    return min(max(float(f"{drawn:.4g}"), values.low), values.high)
