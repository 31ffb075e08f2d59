"""Adam whose update of a variable is one operation of TensorFlow.

Keras writes Adam as a dozen operations for each variable, which read and write its state again and again. In a network
of 243 small variables (EfficientNetV2-B0) they were a third of what is traced and a seventh of a training step's time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import keras
import tensorflow as tf


class OncePerStep:
    """Tensors that all variables of a step share, made when the first of them asks.

    A device of several has its own: they are told apart by the tensor of the rate that the device was given.
    """

    def __init__(self) -> None:
        # The rate stands beside what was made, so that no other tensor takes its identity.
        self._made: dict[Hashable, tuple[Any, Any]] = {}

    def clear(self) -> None:
        """Forgets all, since a tensor belongs to one trace."""
        self._made.clear()

    def get(self, rate: Any, name: Hashable, make: Callable[[], Any]) -> Any:
        """What `make` gave at the first call with this rate and name."""
        key = (id(rate), name)
        if key not in self._made:
            self._made[key] = (rate, make())
        return self._made[key][1]


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam (Kingma and Ba, 2015), computed by TensorFlow's own kernel.

    The formula is the same, to rounding: in step t a variable changes by
    `-rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)`. Sparse gradients and AMSGrad take
    Keras' way.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._shared = OncePerStep()

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Updates all variables.

        Args:
          grads: a gradient of each variable, or None.
          trainable_variables: in the order of the gradients; None for those that the optimizer was built with.
        """
        try:
            super().apply(grads, trainable_variables)
        finally:
            self._shared.clear()

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a variable and its moments.

        Args:
          gradient: of the variable's shape.
          variable: the variable, or a replica's part of it.
          learning_rate: scalar.
        """
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, self.rate_for(variable, learning_rate))
            return
        index, dtype = self._get_variable_index(variable), variable.dtype
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            lr=tf.cast(self.rate_for(variable, learning_rate), dtype),
            grad=tf.cast(gradient, dtype),
            **self._shared.get(learning_rate, ("scalars", dtype), lambda: self._scalars(dtype)),
        )

    def rate_for(self, variable: Any, learning_rate: Any) -> Any:  # noqa: ARG002 - for optimizers of several rates
        """The rate of a variable, by default that of all.

        Args:
          variable: the variable, or a replica's part of it.
          learning_rate: scalar.
        """
        return learning_rate

    def _scalars(self, dtype: Any) -> dict[str, Any]:
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2, epsilon = (tf.cast(value, dtype) for value in (self.beta_1, self.beta_2, self.epsilon))
        return {
            "beta1_power": tf.pow(beta_1, step),
            "beta2_power": tf.pow(beta_2, step),
            "beta1": beta_1,
            "beta2": beta_2,
            "epsilon": epsilon,
        }
