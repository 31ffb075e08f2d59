"""A layer that computes what another does, in another way."""

from __future__ import annotations

import keras


class StandIn(keras.layers.Layer):
    """Base of the layers that stand in for one of Keras' while a network is trained.

    Args:
      layer: built; it keeps its variables, so that whatever changes them changes both.
    """

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(dtype=layer.dtype_policy, name=layer.name)
        self.layer = layer
        self.built = True
