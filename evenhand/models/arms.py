"""The arms of a run: every strategy asked for, and the real-only twin of each that uses synthetic images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from evenhand import registry
from evenhand.config import Evaluation, OwnTraining, RunConfig, Strategy
from evenhand.errors import UserError, plain_words
from evenhand.models.matched import matched_phases, shuffled_phases
from evenhand.models.phase import Phase
from evenhand.models.strategies._options import check_pairs, strategy_options

MATCHED_SUFFIX = "_matched"
BASELINE = Strategy(name="baseline")


@dataclass(frozen=True)
class Arm:
    """One thing that is trained and evaluated.

    Attributes:
      name: of the strategy, or `<strategy>_matched` for a twin that the run adds.
      phases: in order.
      matched: name of the arm with the same loss, augmentation and steps on real images alone; None when the arm
        uses no synthetic images itself.
      shuffled: name of the arm that is the same training with shuffled labels on the synthetic images, if there is one.
      is_control: whether the run added it, or the strategy is a control (`synthetic_only`, `shuffled_synthetic`); a
        control is never pushed and never called the best remedy.
      classical: of a strategy that scikit-learn fits, its configuration; it has no model to be served, so that it is
        evaluated by its predictions and never pushed. None for a network.
      training: what the strategy sets for itself of `training`, its twin likewise; None takes the run's.
    """

    name: str
    phases: tuple[Phase, ...]
    matched: str | None = None
    shuffled: str | None = None
    is_control: bool = False
    classical: Strategy | None = None
    training: OwnTraining | None = None

    @property
    def uses_synthetic(self) -> bool:
        """Whether any phase trains on synthetic images."""
        return any(phase.uses_synthetic for phase in self.phases)

    @property
    def is_served(self) -> bool:
        """Whether it ends in a model that TFX's Evaluator can judge and a server can serve."""
        return self.classical is None

    @property
    def is_candidate(self) -> bool:
        """Whether its model may be pushed."""
        return self.is_served and not self.is_control


def strategy_phases(strategy: Strategy) -> tuple[Phase, ...]:
    """The phases of a configured strategy.

    Raises:
      UserError: if its options are not what the strategy takes, contradict each other, or have no effect.
    """
    module = registry.load("models.strategies", strategy.name)
    where = f"strategies.{strategy.name}.options"
    options = strategy_options(strategy.name, strategy.options, where)
    try:
        phases: tuple[Phase, ...] = module.phases(options)
    except ValidationError as error:
        # Any other error is a defect of the module, no matter of its options.
        if error.errors()[0]["type"] != "value_error":
            raise
        raise UserError(where, plain_words(error.errors()[0]["msg"]), "change one of these options") from error
    if hasattr(module, "fit") and any(phase.post_hoc_adjustment for phase in phases):
        raise UserError(
            f"{where}.post_hoc_adjustment",
            "changes the last layer of a network, of which scikit-learn is given the features below it",
            "leave it out",
        )
    check_pairs(phases, where)
    return phases


def plan_arms(config: RunConfig) -> tuple[Arm, ...]:
    """Every arm of the run, the configured ones first and in their order.

    A strategy whose phases equal a twin's serves as that twin; otherwise the twin is added, one for all that it fits.
    A strategy whose module offers `beside(strategy, others)` is what that makes of it among the others.

    Raises:
      UserError: if a strategy's options are wrong or its `training` has no effect, `evaluation.select` names one that
        is never pushed, or a search has yet to settle on the strategies.
    """
    if config.is_searched:
        raise UserError(
            "strategies" if not config.strategies else "tuning",
            "what is to be trained must be searched for first",
            "run it with `evenhand run`, which writes what it settles on into config.yaml of the output folder, and "
            "give that file here",
        )
    arms = [_configured(strategy, config.strategies) for strategy in config.strategies]
    _check_selection(config.evaluation.select, arms)
    twins: list[Arm] = []
    for index, arm in enumerate(arms):
        phases = matched_phases(arm.phases, early_stopping=config.training.early_stopping is not None)
        if phases is None:
            continue
        same = (phases, arm.training)
        twin = next((o for o in (*arms, *twins) if o.is_served and (o.phases, o.training) == same), None)
        if twin is None:
            twin = Arm(arm.name + MATCHED_SUFFIX, phases, is_control=True, training=arm.training)
            twins.append(twin)
        wrong = (shuffled_phases(arm.phases), arm.training)
        shuffled = next((o.name for o in arms if o.name != arm.name and (o.phases, o.training) == wrong), None)
        arms[index] = replace(arm, matched=twin.name, shuffled=shuffled)
    return (*arms, *twins)


def _configured(strategy: Strategy, strategies: Sequence[Strategy]) -> Arm:
    """The arm of a configured strategy among all of the run, its twin left open."""
    module = registry.load("models.strategies", strategy.name)
    # What a control takes over from what it controls, nobody has written for it.
    own = strategy.training
    if hasattr(module, "beside"):
        strategy = module.beside(strategy, strategies)
    phases = strategy_phases(strategy)
    check_own_training(strategy.model_copy(update={"training": own}), phases)
    return Arm(
        strategy.name,
        phases,
        is_control=getattr(module, "IS_CONTROL", False),
        classical=strategy if hasattr(module, "fit") else None,
        training=strategy.training,
    )


def check_own_training(strategy: Strategy, phases: Sequence[Phase]) -> None:
    """Looks whether what a strategy sets for itself of `training` changes anything.

    Args:
      strategy: as configured.
      phases: that it has with its options.

    Raises:
      UserError: naming the field that has no effect.
    """
    if strategy.training is None:
        return
    field = f"strategies.{strategy.name}.training"
    if not phases:
        raise UserError(field, "has no effect where no network is trained", "leave it out")
    if strategy.training.augmentation is not None and has_own_augmentation(phases):
        optional = strategy.options.get("augmentation") is not None
        raise UserError(
            f"{field}.augmentation",
            f"has no effect, as {strategy.name} has an augmentation of its own",
            "leave it out" + (", or leave out options.augmentation" if optional else ""),
        )


def has_own_augmentation(phases: Sequence[Phase]) -> bool:
    """Whether `training.augmentation` changes nothing about a strategy of these phases."""
    return all(phase.augmentation is not None for phase in phases)


def arm_of(config: RunConfig, strategy: Strategy) -> Arm:
    """The arm that a strategy would be in a run of `config`.

    Raises:
      UserError: if its options are wrong.
    """
    strategies = (BASELINE, strategy) if strategy.name != BASELINE.name else (strategy,)
    alone = config.model_copy(update={"strategies": strategies, "tuning": None, "evaluation": Evaluation()})
    return plan_arms(alone)[len(strategies) - 1]


def _check_selection(select: str | None, arms: Sequence[Arm]) -> None:
    candidates = [arm.name for arm in arms if arm.is_candidate]
    if select is not None and select not in candidates:
        raise UserError("evaluation.select", f"{select} is never pushed", f"use one of {', '.join(candidates)}")


def phase_steps(phases: tuple[Phase, ...], steps: int) -> list[int]:
    """Gradient steps of each phase: its share, at least 1, and `steps` in all (ARCHITECTURE: budgets are steps).

    Raises:
      UserError: if there are fewer steps than phases.
    """
    if steps < len(phases):
        raise UserError("training.steps", f"{steps} cannot be shared by {len(phases)} phases", "give more steps")
    ends, total = [], 0.0
    for phase in phases:
        total += phase.share
        ends.append(total)
    bounds = [0]
    for index, end in enumerate(ends):
        left = len(phases) - index - 1
        bounds.append(min(max(round(steps * end / total), bounds[-1] + 1), steps - left))
    return [after - before for before, after in zip(bounds, bounds[1:], strict=False)]


def repeat_suffix(repeat: int) -> str:
    """What the names of an arm's nodes end in; the first repeat has none, so that asking for more later reuses it."""
    return f"-repeat{repeat + 1}" if repeat else ""
