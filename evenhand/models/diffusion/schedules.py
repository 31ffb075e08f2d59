"""How EDM's learning rate and the average of its weights change as training goes on (Karras et al., 2022, table 7)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


def average_decay(batch: Tensor, seen: Tensor, half_life: float, ramp_up: float) -> Tensor:
    """The share of the old average that is kept in a step: 0.5^(batch / min(half life, ramp up x seen)).

    Args:
      batch: images in this step.
      seen: images before it; after 0 nothing is kept.
      half_life: in images.
      ramp_up: share of the images seen that the half-life may reach.

    Returns:
      float32 scalar in [0, 1).
    """
    images = ops.minimum(float(half_life), ramp_up * ops.cast(seen, "float32"))
    return ops.power(0.5, ops.cast(batch, "float32") / ops.maximum(images, 1e-6))


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that grows evenly from 0 over its first steps.

    Args:
      rate: reached after `steps`, and kept.
      steps: of growth.
    """

    def __init__(self, rate: float, steps: int) -> None:
        self.rate, self.steps = rate, steps

    def __call__(self, step: Tensor) -> Tensor:
        """The rate of step number `step`, from 0."""
        return self.rate * ops.minimum((ops.cast(step, "float32") + 1.0) / (self.steps + 1.0), 1.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"rate": self.rate, "steps": self.steps}
