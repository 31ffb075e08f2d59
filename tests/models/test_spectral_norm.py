"""Spectral normalisation, against singular values that numpy finds."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from evenhand.models.networks.spectral_norm import SpectralConv2D, SpectralDense, SpectralEmbedding
from evenhand.models.training.average import WeightAverage

KERNELS = {"dense": (6, 4), "convolution": (3, 3, 2, 5), "embedding": (7, 3)}


def random(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def layer(kind: str, **options: Any) -> Any:
    initializer = keras.initializers.Constant(random(*KERNELS[kind]))
    if kind == "dense":
        built = SpectralDense(4, kernel_initializer=initializer, **options)
        built.build((2, 6))
    elif kind == "convolution":
        built = SpectralConv2D(5, 3, kernel_initializer=initializer, **options)
        built.build((2, 8, 8, 2))
    else:
        built = SpectralEmbedding(7, 3, embeddings_initializer=initializer, **options)
        built.build()
    return built


def largest(kernel: NDArray[np.float32]) -> float:
    return float(np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0])


@pytest.mark.parametrize("kind", KERNELS)
def test_kernel_is_divided_by_its_largest_singular_value(kind: str) -> None:
    built = layer(kind)
    for _ in range(100):
        built.normalized_kernel(training=True)
    kernel = random(*KERNELS[kind])
    expected = kernel / largest(kernel)
    np.testing.assert_allclose(built.normalized_kernel(training=False), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(built.kernel, kernel)


def test_a_call_in_training_takes_one_step_of_power_iteration() -> None:
    built = layer("dense")
    kernel, u = random(6, 4), np.asarray(built.u)[:, 0]
    u = u / np.linalg.norm(u)
    for _ in range(2):
        v = kernel @ u / np.linalg.norm(kernel @ u)
        u = v @ kernel / np.linalg.norm(v @ kernel)
        np.testing.assert_allclose(built.normalized_kernel(training=True), kernel / (v @ kernel @ u), rtol=1e-5)
        np.testing.assert_allclose(np.asarray(built.u)[:, 0], u, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KERNELS)
def test_u_moves_in_training_only(kind: str) -> None:
    built = layer(kind)
    inputs = {"dense": random(2, 6), "convolution": random(2, 8, 8, 2), "embedding": np.array([1, 2])}[kind]
    before = np.asarray(built.u)
    built(inputs)
    built(inputs, training=False)
    np.testing.assert_array_equal(built.u, before)
    built(inputs, training=True)
    assert (np.asarray(built.u) != before).any()
    assert [weight.name for weight in built.non_trainable_weights] == ["u"]


def test_gradient_passes_through_sigma() -> None:
    # Of the sum of C * W / sigma: (C - (sum of C * W / sigma) v u^T) / sigma, with u and v as constants.
    built = layer("dense")
    for _ in range(200):
        built.normalized_kernel(training=True)
    weights, cotangent = random(6, 4), random(6, 4, seed=1)
    with tf.GradientTape() as tape:
        tape.watch(built.kernel.value)
        total = ops.sum(cotangent * built.normalized_kernel(training=True))
    left, values, right = np.linalg.svd(weights)
    direction = np.outer(left[:, 0], right[0])
    expected = (cotangent - np.sum(cotangent * weights / values[0]) * direction) / values[0]
    np.testing.assert_allclose(tape.gradient(total, built.kernel.value), expected, rtol=1e-3, atol=1e-4)


def test_layers_compute_what_their_plain_ones_do_with_the_normalised_kernel() -> None:
    dense, convolution, embedding = layer("dense"), layer("convolution", strides=2), layer("embedding")
    dense.bias.assign(random(4))
    convolution.bias.assign(random(5))
    x, image = random(2, 6), random(2, 8, 8, 2)
    kernels = [np.asarray(built.normalized_kernel()) for built in (dense, convolution, embedding)]
    np.testing.assert_allclose(dense(x), x @ kernels[0] + random(4), rtol=1e-5, atol=1e-6)
    plain = keras.layers.Conv2D(5, 3, 2, "same")
    plain.build((2, 8, 8, 2))
    plain.set_weights([kernels[1], random(5)])
    np.testing.assert_allclose(convolution(image), plain(image), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(embedding(np.array([6, 0])), kernels[2][[6, 0]])
    assert layer("dense", use_bias=False).bias is None


def network(policy: str = "float32") -> keras.Model:
    image, label = keras.Input((8, 8, 2)), keras.Input((), dtype="int32")
    x = SpectralConv2D(4, 3, strides=2, padding="valid", use_bias=False, dtype=policy)(image)
    x = SpectralDense(3, dtype=policy)(keras.layers.GlobalAveragePooling2D(dtype=policy)(x))
    return keras.Model([image, label], x + SpectralEmbedding(7, 3, dtype=policy)(label))


def test_copies_are_whole() -> None:
    original = network()
    inputs = [random(2, 8, 8, 2), np.array([1, 6])]
    original(inputs, training=True)
    average = WeightAverage(original, 0.9)
    np.testing.assert_array_equal(average.network(inputs), original(inputs))
    for copy, plain in zip(average.network.layers, original.layers, strict=True):
        assert copy.get_config() == {**plain.get_config(), "trainable": False} or not plain.weights


def test_an_average_of_u_counts_by_its_direction_alone() -> None:
    built = layer("dense")
    built.normalized_kernel(training=True)
    before = np.asarray(built.normalized_kernel())
    built.u.assign(0.5 * built.u)
    np.testing.assert_allclose(built.normalized_kernel(), before, rtol=1e-6)


def test_sigma_is_found_in_full_precision() -> None:
    built = layer("dense", dtype="mixed_bfloat16")
    outputs = built(random(2, 6), training=True)
    assert outputs.dtype == "bfloat16"
    exact = layer("dense")
    exact(random(2, 6), training=True)
    np.testing.assert_array_equal(built.u, exact.u)
    assert network("mixed_bfloat16")([random(2, 8, 8, 2), np.array([1, 6])]).dtype == "bfloat16"


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_shapes_are_known_without_computing(strides: int, padding: str) -> None:
    convolution = SpectralConv2D(5, 3, strides=strides, padding=padding)
    for side in (7, 8, 9):
        image = random(1, side, side, 2)
        assert convolution.compute_output_shape(image.shape) == convolution(image).shape
        assert convolution(keras.Input((None, side, 2))).shape[1] is None
    assert SpectralDense(4)(keras.Input((8, 6))).shape == (None, 8, 4)
    assert SpectralEmbedding(7, 3)(keras.Input((5,), dtype="int32")).shape == (None, 5, 3)
