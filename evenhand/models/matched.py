"""The real-only twin of a strategy that uses synthetic images: what it would reach without them."""

from __future__ import annotations

from evenhand.models.phase import Phase


def matched_phases(phases: tuple[Phase, ...]) -> tuple[Phase, ...] | None:
    """The same phases on real images alone: same losses, augmentation, rates and steps.

    Synthetic images are drawn alike for every class, so a phase that takes them as they come learns no class prior.
    Its twin draws the classes of the real images alike, so that the two differ in the images and in nothing else.

    Args:
      phases: of the strategy.

    Returns:
      The phases of the twin, or None if the strategy uses no synthetic images.
    """
    if all(phase.on == "real" for phase in phases):
        return None
    return tuple(_on_real(phase) for phase in phases)


def _on_real(phase: Phase) -> Phase:
    if phase.on == "real":
        return phase
    # Where every class has as many images, every way of drawing is balanced and balanced softmax is cross-entropy.
    return phase.model_copy(update={"on": "real", "sampling": "balanced", "loss": "cross_entropy"})
