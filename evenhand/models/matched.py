"""What a strategy that uses synthetic images is held against: itself without them, and itself with wrong labels."""

from __future__ import annotations

from evenhand.models.phase import Phase


def matched_phases(phases: tuple[Phase, ...], *, early_stopping: bool = False) -> tuple[Phase, ...] | None:
    """The same phases on real images alone: same losses, augmentation, mixing, rates and steps.

    Synthetic images are drawn alike for every class, so a phase that takes them as they come learns no class prior.
    Its twin draws the classes of the real images alike, so that the two differ in the images and in nothing else. In a
    phase on both, real images drawn so stand in for the synthetic ones, in the same shares and with the same weight;
    where those fill the classes up to balance, real ones repeat to fill them up.

    All this asks for synthetic images of every class, or of every class that lacks some. One that has none, by a
    filter or as the largest under `synthetic.per_class: balance`, is told in the result (`report.missing_classes`): a
    twin that followed the synthetic images would depend on them.

    Args:
      phases: of the strategy.
      early_stopping: whether the run stops early: never in a phase on synthetic images alone, nor then in its twin.

    Returns:
      The phases of the twin, or None if the strategy uses no synthetic images.
    """
    if not any(phase.uses_synthetic for phase in phases):
        return None
    return tuple(_on_real(phase, early_stopping) for phase in phases)


def shuffled_phases(phases: tuple[Phase, ...]) -> tuple[Phase, ...] | None:
    """The same phases with shuffled labels wherever they train on synthetic images.

    Returns:
      The phases, or None if the strategy uses no synthetic images.
    """
    if not any(phase.uses_synthetic for phase in phases):
        return None
    return tuple(phase.model_copy(update={"labels": "shuffled"}) if phase.uses_synthetic else phase for phase in phases)


def _on_real(phase: Phase, early_stopping: bool) -> Phase:
    if not phase.uses_synthetic:
        return phase
    # Losses go by the counts as drawn, so that balanced softmax on classes drawn alike is cross-entropy of itself.
    sampling = "balanced" if phase.on == "synthetic" else phase.sampling
    stops = "never" if early_stopping and phase.on == "synthetic" else phase.stops
    return phase.model_copy(update={"on": "real", "sampling": sampling, "labels": None, "stops": stops})
