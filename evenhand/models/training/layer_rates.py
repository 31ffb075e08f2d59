"""Adam with a learning rate for each stage of the network: frozen stages, discriminative rates, the last layer alone.

The factors are variables, so that a phase with other rates needs no new trace of the training step. Adam's update does
not depend on the scale of the gradient, so the factor is on the update; at a factor of 0 a weight keeps its value to
the last bit.
"""

from __future__ import annotations

from typing import Any

import keras

from evenhand.models.phase import NUM_STAGES
from evenhand.models.training.checkpoint import to_array
from evenhand.models.training.fused_adam import FusedAdam


def stage_rates(frozen_share: float = 0.0, first_layer_rate: float = 1.0) -> list[float]:
    """Factors of the stages from the input on and, as the last entry, 1 for the last layer.

    Args:
      frozen_share: of the stages, from the input on, that get 0.
      first_layer_rate: factor of the first stage; those above it rise to 1 by equal ratios.
    """
    frozen = round(frozen_share * NUM_STAGES)
    rates = [first_layer_rate ** (1.0 - stage / NUM_STAGES) for stage in range(NUM_STAGES)]
    return [0.0 if stage < frozen else rate for stage, rate in enumerate(rates)] + [1.0]


class StagedAdam(FusedAdam):
    """Adam whose rate for each variable is the schedule's times the factor of its stage.

    Args:
      rate: the schedule.
      head: variables of the last layer.
    """

    def __init__(self, rate: keras.optimizers.schedules.LearningRateSchedule, head: list[Any]) -> None:
        super().__init__(rate)
        self._head = {variable.path for variable in head}
        self._stages: list[int] = []
        self._factors = [keras.Variable(1.0, trainable=False, name="stage_rate") for _ in range(NUM_STAGES + 1)]

    def build(self, var_list: list[keras.Variable]) -> None:
        """Gives each variable its stage."""
        super().build(var_list)
        is_head = [variable.path in self._head for variable in var_list]
        size, below = max(len(var_list) - sum(is_head), 1), 0
        for head in is_head:
            self._stages.append(NUM_STAGES if head else below * NUM_STAGES // size)
            below += not head

    def set_rates(self, rates: list[float]) -> None:
        """Sets the factors, as `stage_rates` gives them."""
        for factor, rate in zip(self._factors, rates, strict=True):
            factor.assign(rate)

    def rate_of(self, variable: keras.Variable) -> float:
        """The present factor of a variable."""
        return float(to_array(self._factors[self._stages[self._get_variable_index(variable)]]))

    def rate_for(self, variable: Any, learning_rate: Any) -> Any:
        """The schedule's rate times the factor of the variable's stage."""
        stage = self._stages[self._get_variable_index(variable)]

        def scaled() -> Any:
            return learning_rate * keras.ops.convert_to_tensor(self._factors[stage])

        return self._shared.get(learning_rate, ("rate of stage", stage), scaled)
