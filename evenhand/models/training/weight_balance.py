"""Weight decay and MaxNorm between gradient steps, so that trainings without them pay nothing for them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from evenhand.models.training.checkpoint import to_array
from evenhand.models.training.classification import SharedClassifier
from evenhand.models.training.head import class_norms, limit_norms


class WeightBalance(keras.callbacks.Callback):
    """Shrinks the kernels by `rate * decay` for every step and holds the last layer's class norms under a bound.

    Decoupled decay as in AdamW (Loshchilov and Hutter, 2019), on kernels alone, at each stage's own rate; MaxNorm as
    in Alshammari et al. (Long-Tailed Recognition via Weight Balancing, 2022), on the last layer. With several steps per
    execution they follow at its end, for all its steps at once.

    Args:
      shared: the network in training, at the beginning of its phase.
      decay: factor on the learning rate, or None.
      max_norm: bound as a multiple of the mean norm now, or None.
    """

    def __init__(self, shared: SharedClassifier, decay: float | None, max_norm: float | None) -> None:
        super().__init__()
        self._shared, self._decay, self._done = shared, decay or 0.0, 0
        self._most = None if max_norm is None else max_norm * float(class_norms(shared.network).mean())
        optimizer = shared.model.optimizer
        kernels = [weight for weight in shared.network.trainable_variables if len(weight.shape) > 1]
        rates = [(kernel, optimizer.rate_of(kernel)) for kernel in kernels]
        self._kernels = [(kernel, rate) for kernel, rate in rates if decay is not None and rate > 0]

    def on_train_begin(self, logs: Any = None) -> None:
        self._done = int(to_array(self.model.optimizer.iterations))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(to_array(self.model.optimizer.iterations))
        rates = [float(self._shared.rate(taken)) for taken in range(self._done, step)] if self._kernels else []
        self._done = step
        for kernel, factor in self._kernels:
            kernel.assign(kernel * float(np.prod([1.0 - rate * factor * self._decay for rate in rates])))
        if self._most is not None:
            limit_norms(self._shared.network, self._most)
