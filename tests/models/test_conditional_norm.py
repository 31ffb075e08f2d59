"""Conditional batch normalisation, worked by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from evenhand.models.networks.conditional_norm import ConditionalBatchNormalization
from evenhand.models.training.average import WeightAverage

GAIN = [[0.5, -1.0], [2.0, 0.0]]
BIAS = [[1.0, 0.0], [0.0, 3.0]]


def random(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(2.0, 3.0, shape).astype(np.float32)


def layer(**options: Any) -> ConditionalBatchNormalization:
    return ConditionalBatchNormalization(
        gain_initializer=keras.initializers.Constant(GAIN),
        bias_initializer=keras.initializers.Constant(BIAS),
        **options,
    )


def test_gain_and_bias_are_those_of_the_condition() -> None:
    built = layer(epsilon=0.01)
    images, condition = random(2, 3, 3, 2), np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    normalized = (images - images.mean(axis=(0, 1, 2))) / np.sqrt(images.var(axis=(0, 1, 2)) + 0.01)
    expected = normalized * np.array([[1.5, 0.0], [3.0, 1.0]])[:, None, None] + np.array(BIAS)[:, None, None]
    np.testing.assert_allclose(built([images, condition], training=True), expected, rtol=1e-4, atol=1e-4)
    assert len(built.trainable_weights) == 2


def test_drawing_uses_running_statistics() -> None:
    built = layer(epsilon=0.0, momentum=0.75)
    images, condition = random(2, 3, 3, 2), np.zeros((2, 2), np.float32)
    built([images, condition], training=True)
    mean, variance = 0.25 * images.mean(axis=(0, 1, 2)), 0.75 + 0.25 * images.var(axis=(0, 1, 2))
    np.testing.assert_allclose(
        built([images, condition], training=False), (images - mean) / np.sqrt(variance), rtol=1e-4, atol=1e-4
    )


def test_maps_can_be_spectrally_normalised() -> None:
    built = layer(is_spectral=True, momentum=0.0, epsilon=0.0)
    images = np.zeros((2, 3, 3, 2), np.float32)
    condition = np.eye(2, dtype=np.float32)
    built.build([images.shape, condition.shape])
    for _ in range(60):
        built.gain(condition, training=True)
        built.bias(condition, training=True)
    # Its moving mean is 0 and its variance 1, so an image of ones shows 1 + gain + bias.
    gain, bias = (np.array(kernel) / np.linalg.svd(kernel, compute_uv=False)[0] for kernel in (GAIN, BIAS))
    np.testing.assert_allclose(built([images + 1.0, condition])[:, 0, 0], 1.0 + gain + bias, rtol=1e-4, atol=1e-5)
    assert sorted(weight.name for weight in built.non_trainable_weights) == ["moving_mean", "moving_variance", "u", "u"]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("is_spectral", [False, True])
def test_copies_are_whole(is_spectral: bool, policy: str) -> None:
    inputs = [keras.Input((4, 4, 2)), keras.Input((3,))]
    outputs = ConditionalBatchNormalization(is_spectral=is_spectral, epsilon=0.1, momentum=0.5, dtype=policy)(inputs)
    assert outputs.shape == (None, 4, 4, 2)
    original = keras.Model(inputs, outputs)
    values = [random(2, 4, 4, 2), random(2, 3)]
    original(values, training=True)
    average = WeightAverage(original, 0.9).network
    result = average(values)
    np.testing.assert_array_equal(result, original(values))
    assert result.dtype == ("bfloat16" if policy == "mixed_bfloat16" else "float32")
    assert average.layers[-1].get_config() == {**original.layers[-1].get_config(), "trainable": False}
