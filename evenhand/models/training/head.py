"""The last layer of a classifier: it turns features into logits, and holds most of what imbalance does to a network."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from evenhand.errors import UserError
from evenhand.models.classifier_losses._terms import log_shares
from evenhand.models.phase import Phase
from evenhand.models.training.checkpoint import to_array


def head_of(network: keras.Model) -> keras.layers.Layer:
    """The last layer that has weights; its first weight is the kernel, with a column for each class."""
    return next(layer for layer in reversed(network.layers) if layer.weights)


def features_of(network: keras.Model) -> keras.Model:
    """The network up to what its last layer takes: float32[n, h, w, c] -> float[n, d]."""
    return keras.Model(network.inputs, head_of(network).input)


def class_norms(network: keras.Model) -> NDArray[np.float64]:
    """float64[c], the norm of each class's weights in the last layer."""
    kernel = to_array(head_of(network).weights[0]).astype(np.float64)
    norms: NDArray[np.float64] = np.sqrt((kernel**2).sum(axis=tuple(range(kernel.ndim - 1))))
    return norms


def normalise_head(network: keras.Model, power: float) -> None:
    """Divides each class's weights by their norm to a power, and leaves off the biases (Kang et al., 2020, tau-norm).

    The common scale is kept (the mean norm to the same power), which no decision depends on, but every probability.

    Args:
      network: its last layer is changed.
      power: tau; 0 changes no weights, 1 makes all norms equal.
    """
    kernel, *biases = head_of(network).weights
    norms = np.maximum(class_norms(network), 1e-12)
    kernel.assign(to_array(kernel) * ((norms.mean() / norms) ** power).astype(np.float32))
    for bias in biases:
        bias.assign(np.zeros(bias.shape, np.float32))


def limit_norms(network: keras.Model, most: float) -> None:
    """Shortens each class's weights in the last layer to at most a norm of `most`."""
    kernel = head_of(network).weights[0]
    norms = np.maximum(class_norms(network), 1e-12)
    if norms.max() > most:
        kernel.assign(to_array(kernel) * np.minimum(1.0, most / norms).astype(np.float32))


def adjust_head(network: keras.Model, counts: NDArray[np.floating], tau: float) -> None:
    """Moves each class's bias by `-tau log prior` (Menon et al., 2021, equation 9: post-hoc logit adjustment).

    So every probability is divided by its class's prior to the power tau, and the row made to sum to 1 again. A class
    without images has taught the network nothing to make up for: its bias stays, while all others rise.

    Args:
      network: the bias of its last layer is changed.
      counts: [c], images of each class as the batches drew them; their shares are the prior.
      tau: 1 takes out the whole prior.
    """
    [bias] = head_of(network).weights[1:]
    shift = np.where(counts > 0, -tau * log_shares(counts), 0.0)
    bias.assign(to_array(bias) + shift.astype(np.float32))


def check_head(network: keras.Model, phase: Phase) -> None:
    """Raises `UserError` if the last layer cannot be changed as the phase asks, before it is trained."""
    if phase.post_hoc_adjustment is not None and len(head_of(network).weights) != 2:
        raise UserError(
            "classifier.name", "its last layer has no bias, which post_hoc_adjustment moves", "give that layer one"
        )


def finish_head(network: keras.Model, phase: Phase, counts: NDArray[np.floating]) -> None:
    """Does to the last layer what the phase asks for after training; no checkpoint is saved afterwards.

    Args:
      network: with the weights that training ended with.
      phase: what it was trained on.
      counts: [c], images of each class as the batches drew them.
    """
    if phase.head_norm_power is not None:
        normalise_head(network, phase.head_norm_power)
    if phase.post_hoc_adjustment is not None:
        adjust_head(network, counts, phase.post_hoc_adjustment)
