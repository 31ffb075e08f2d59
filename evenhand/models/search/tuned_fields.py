"""Which settings a tuning tries: as many of each strategy, and the same ones wherever strategies share the fields."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evenhand import registry
from evenhand.config import Range, RunConfig, Strategy, Tuning, own_training, parse_options
from evenhand.errors import UserError
from evenhand.models.arms import BASELINE, arm_of, strategy_phases

Setting = Mapping[str, Any]


def settings_of(
    tuning: Tuning, strategies: Sequence[Strategy], seed: int, *, fewest: bool = False
) -> dict[str, list[Setting]]:
    """The settings of each strategy, equally many.

    Values in lists are tried in their order, every combination once, or `trials` of them drawn without replacement;
    with a range, every setting is drawn.

    Args:
      tuning: fields and trials.
      strategies: those that are tuned.
      seed: of the draws.
      fewest: without `trials`, give every strategy as many as the one with fewest combinations has, not all.

    Returns:
      Strategy -> settings, each dotted path -> value.

    Raises:
      UserError: if a strategy has fewer combinations than others get.
    """
    combinations = {strategy.name: _num_combinations(tuning.of(strategy.name)) for strategy in strategies}
    trials = tuning.trials or (min if fewest else max)(combinations.values())
    for name, number in combinations.items():
        if number < trials:
            raise UserError(
                "tuning.fields",
                f"{name} has {number} combination{'s' if number > 1 else ''} of values and others get {trials} trials, "
                "so that the comparison would not be fair",
                "tune a field that all share, such as training.learning_rate, with enough values, or set tuning.trials",
            )
    return {strategy.name: _settings(tuning.of(strategy.name), int(trials), seed) for strategy in strategies}


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
        shared = int(min(_num_combinations(config.tuning.of(BASELINE.name)), 1e9))
        if shared < (config.tuning.trials or 2):
            raise UserError(
                "tuning.fields",
                f"the fields that all strategies share have {shared} combination{'s' if shared > 1 else ''} of values",
                f"give training.learning_rate, say, at least {config.tuning.trials or 2} values",
            )
        return
    tuned = {strategy.name: strategy for strategy in tuned_strategies(config)}
    for name, settings in settings_of(config.tuning, list(tuned.values()), config.seed).items():
        for setting in settings:
            apply(config, tuned[name], setting)


def _check_option(config: RunConfig, path: str, values: tuple[Any, ...] | Range) -> None:
    """Looks whether a strategy's option is one, takes the values, and is of a strategy that is tuned."""
    section, *keys = path.split(".")
    if section != "strategies":
        return
    name = ".".join(keys[: keys.index("options")])
    registry.check("models.strategies", name, "tuning.fields")
    strategy = next((one for one in config.strategies if one.name == name), Strategy(name=name))
    if not arm_of(config, strategy).is_candidate:
        raise UserError(
            f"tuning.fields.{path}",
            f"{name} is not tuned: controls go by what they control, and scikit-learn's are fitted as they are",
            "tune another strategy",
        )
    for value in (values.low, values.high) if isinstance(values, Range) else values:
        apply(config, strategy, {path: value})


def apply(config: RunConfig, strategy: Strategy, setting: Setting) -> Strategy:
    """The strategy with the values of a setting.

    Raises:
      UserError: if an option is unknown or a value not possible.
    """
    prefix = f"strategies.{strategy.name}.options."
    options = dict(strategy.options)
    for path, value in setting.items():
        if path.startswith(prefix):
            option, *below = path.removeprefix(prefix).split(".")
            options[option] = _put(options.get(option), below, value)
    standing = strategy.training.of(config.training) if strategy.training is not None else config.training
    own = own_training(standing, setting)
    given = {} if strategy.training is None else dict(strategy.training)
    training = strategy.training if own is None else own.model_copy(update=_unset(given, own))
    tuned = strategy.model_copy(update={"options": options, "training": training})
    strategy_phases(tuned)
    return tuned


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


def _put(standing: Any, keys: Sequence[str], value: Any) -> Any:
    if not keys:
        return value
    below = dict(standing) if isinstance(standing, Mapping) else {}
    return {**below, keys[0]: _put(below.get(keys[0]), keys[1:], value)}


def _num_combinations(fields: Mapping[str, tuple[Any, ...] | Range]) -> float:
    return math.prod(math.inf if isinstance(values, Range) else len(values) for values in fields.values())


def _settings(fields: Mapping[str, tuple[Any, ...] | Range], trials: int, seed: int) -> list[Setting]:
    number = _num_combinations(fields)
    if math.isinf(number):
        rng = np.random.default_rng([seed, 0x7475])
        # Field by field, so that fields which strategies share have the same draws in all of them.
        drawn = {path: [_draw(values, rng) for _ in range(trials)] for path, values in sorted(fields.items(), key=_own)}
        return [{path: drawn[path][index] for path in fields} for index in range(trials)]
    sizes = [len(values) for values in fields.values() if not isinstance(values, Range)]
    chosen = np.arange(int(number))
    if trials < number:
        chosen = np.sort(np.random.default_rng([seed, 0x7475]).choice(int(number), trials, replace=False))
    return [
        {path: values[place] for (path, values), place in zip(fields.items(), places, strict=True)}  # type: ignore[index]
        for places in zip(*(part.tolist() for part in np.unravel_index(chosen, sizes)), strict=True)
    ]


def _own(item: tuple[str, Any]) -> tuple[bool, str]:
    return not item[0].startswith("training."), item[0]


def _draw(values: tuple[Any, ...] | Range, rng: np.random.Generator) -> Any:
    if not isinstance(values, Range):
        return values[int(rng.integers(len(values)))]
    if values.scale == "log":
        drawn = float(np.exp(rng.uniform(np.log(values.low), np.log(values.high))))
    else:
        drawn = float(rng.uniform(values.low, values.high))
    # Four digits say as much, and can be read in a config.
    return min(max(float(f"{drawn:.4g}"), values.low), values.high)
