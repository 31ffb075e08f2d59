"""An update: the part of a training step in which one optimizer improves its own networks."""

from __future__ import annotations

from dataclasses import dataclass

import keras


@dataclass(frozen=True, eq=False)
class Update:
    """What is improved, by what, and when; `ConditionalGenerator` walks a model's updates in order in every step.

    Attributes:
      name: of the update, e.g. `discriminator`; its loss is logged as `<name>_loss`.
      networks: the networks that it changes; all others stay as they are, batch statistics included.
      optimizer: its own; no two updates share one, unless their networks are the same.
      repeat: times in a step, each with real images of its own (a critic's five steps).
      every: steps between two turns (a lazy penalty's 16); the first turn is in step `start`.
      start: the first step in which it may take its turn.
      stop: the step from which on it rests for good; None for never. A warm-up stops where adversarial training starts.
      metrics: names of the values that its loss reports besides the loss itself.
    """

    name: str
    networks: tuple[keras.Layer, ...]
    optimizer: keras.optimizers.Optimizer
    repeat: int = 1
    every: int = 1
    start: int = 0
    stop: int | None = None
    metrics: tuple[str, ...] = ()

    @property
    def is_scheduled(self) -> bool:
        """Whether it rests in some steps."""
        return self.every > 1 or self.start > 0 or self.stop is not None

    @property
    def trainable_weights(self) -> list[keras.Variable]:
        """Every weight that its optimizer changes."""
        return [weight for network in self.networks for weight in network.trainable_weights]
