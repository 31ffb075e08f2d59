"""The arms of a run: every strategy asked for, and the real-only twin of each that uses synthetic images."""

from __future__ import annotations

from dataclasses import dataclass

from evenhand import registry
from evenhand.config import RunConfig, Strategy, parse_options
from evenhand.errors import UserError
from evenhand.models.matched import matched_phases
from evenhand.models.phase import Phase

MATCHED_SUFFIX = "_matched"


@dataclass(frozen=True)
class Arm:
    """One thing that is trained and evaluated.

    Attributes:
      name: of the strategy, or `<strategy>_matched` for a twin that the run adds.
      phases: in order.
      matched: name of the arm with the same loss, augmentation and steps on real images alone; None when the arm
        uses no synthetic images itself.
      is_control: whether the run added it; a control is never pushed.
    """

    name: str
    phases: tuple[Phase, ...]
    matched: str | None = None
    is_control: bool = False

    @property
    def uses_synthetic(self) -> bool:
        """Whether any phase trains on synthetic images."""
        return any(phase.on == "synthetic" for phase in self.phases)


def strategy_phases(strategy: Strategy) -> tuple[Phase, ...]:
    """The phases of a configured strategy.

    Raises:
      UserError: if its options are not what the strategy takes.
    """
    module = registry.load("models.strategies", strategy.name)
    options = parse_options(module.Options, strategy.options, f"strategies.{strategy.name}.options")
    phases: tuple[Phase, ...] = module.phases(options)
    return phases


def plan_arms(config: RunConfig) -> tuple[Arm, ...]:
    """Every arm of the run, the configured ones first and in their order.

    A configured strategy whose phases equal a twin's serves as that twin; otherwise the twin is added.
    """
    phases = {strategy.name: strategy_phases(strategy) for strategy in config.strategies}
    arms, controls = [], []
    for name, own in phases.items():
        twin = matched_phases(own)
        matched = None
        if twin is not None:
            matched = next((other for other, theirs in phases.items() if theirs == twin), None)
            if matched is None:
                matched = name + MATCHED_SUFFIX
                controls.append(Arm(matched, twin, is_control=True))
        arms.append(Arm(name, own, matched))
    return (*arms, *controls)


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
