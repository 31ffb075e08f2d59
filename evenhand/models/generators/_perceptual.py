"""The perceptual loss of pix2pixHD and SPADE: how far the features of VGG19 are apart."""

from __future__ import annotations

import os
from typing import Any

import keras
from keras import ops

from evenhand.errors import UserError

Tensor = Any

_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


def weighted_distance(features: list[Tensor], targets: list[Tensor]) -> Tensor:
    """1/32, 1/16, 1/8, 1/4 and 1 times the mean absolute difference of five layers; no gradient reaches `targets`."""
    return sum(
        weight * ops.mean(ops.abs(ops.cast(one, "float32") - ops.stop_gradient(ops.cast(other, "float32"))))
        for weight, one, other in zip(_WEIGHTS, features, targets, strict=True)
    )


def check_weights(weights: str) -> None:
    """Looks for the file, without reading it.

    Raises:
      UserError: if there is none.
    """
    if not os.path.isfile(weights):
        raise UserError(
            "generator.options.perceptual_weights", f"there is no file {weights}", "give VGG19's weights or null"
        )


class PerceptualDistance:
    """The distance of images from targets; no part of the model that uses it, since it is neither trained nor saved.

    Pixels are prepared as VGG19 was trained (the authors' code leaves that out).

    Args:
      weights: a file of Keras' VGG19 without its top.

    Raises:
      UserError: if there is no such file, or it does not fit.
    """

    def __init__(self, weights: str) -> None:
        check_weights(weights)
        try:
            network = keras.applications.VGG19(include_top=False, weights=weights)
        except (OSError, ValueError) as error:
            raise UserError(
                "generator.options.perceptual_weights",
                f"{weights} does not fit VGG19 ({error})",
                "give Keras' own file",
            ) from error
        self._network = keras.Model(network.input, [network.get_layer(name).output for name in _LAYERS])
        self._network.trainable = False

    def __call__(self, images: Tensor, targets: Tensor) -> Tensor:
        """float32 scalar of images and targets float[n, h, w, c] in [-1, 1]."""
        return weighted_distance(self._features(images), self._features(targets))

    def _features(self, images: Tensor) -> list[Tensor]:
        colours = ops.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
        pixels = keras.applications.vgg19.preprocess_input((colours + 1.0) * 127.5)
        features: list[Tensor] = self._network(pixels, training=False)
        return features
