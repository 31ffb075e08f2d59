"""Activations that several networks share."""

from __future__ import annotations

from typing import Any

import keras

Tensor = Any


def leaky(x: Tensor) -> Tensor:
    """A leaky rectifier, which keeps a fifth of what is below 0."""
    return keras.layers.LeakyReLU(negative_slope=0.2)(x)


def in_float32(x: Tensor) -> Tensor:
    """The same numbers in float32, for the end of a network that computes in fewer bits."""
    return keras.layers.Activation("linear", dtype="float32")(x)
