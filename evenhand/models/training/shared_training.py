"""What Keras' `fit` (3.15) cannot do by itself where several machines share a training."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class SharedTraining(keras.Model):
    """A model that is built when it is made, and whose training step may be shared by several machines."""

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Nothing, since it is built: Keras would first reduce a batch over all machines, which fails."""

    def told(self, results: dict[str, Any]) -> dict[str, Any]:
        """What `train_step` gives back, so that Keras can take the mean over the replicas.

        Args:
          results: scalars.

        Returns:
          The scalars; among several machines each as one of a row, along which Keras takes the mean.
        """
        strategy = self.distribute_strategy
        is_for_workers = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        # Keras asks it too, as there is no public name for it: a worker that is alone takes no mean along a row.
        if is_for_workers and strategy.extended._in_multi_worker_mode():
            return {name: tf.reshape(value, (1,)) for name, value in results.items()}
        return results
