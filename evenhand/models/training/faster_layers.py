"""A network whose slow layers are computed in another way while it is trained, with the same variables."""

from __future__ import annotations

import keras

from evenhand.models.training.fused_normalisation import FusedNormalisation, is_fusible
from evenhand.models.training.pointwise import PixelwiseProduct, is_pointwise
from evenhand.models.training.small_depthwise import SmallDepthwise, is_small


def with_faster_layers(network: keras.Model) -> keras.Model:
    """The same function, computed faster.

    Args:
      network: built by Keras' functional interface; models within it are such too.

    Returns:
      A model of the same layers and variables, in the same order, for training; `network` is what is saved.
    """
    return keras.models.clone_model(network, clone_function=_faster)


def _faster(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, keras.Model):
        return with_faster_layers(layer)
    if is_pointwise(layer):
        return PixelwiseProduct(layer)
    if is_fusible(layer):
        return FusedNormalisation(layer)
    return SmallDepthwise(layer) if is_small(layer) else layer
