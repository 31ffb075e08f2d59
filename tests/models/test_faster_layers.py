"""Layers that are computed in another way in training: the same function, gradients, variables and file."""

from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand.config import Classifier
from evenhand.models.training.classification import build_network
from evenhand.models.training.faster_layers import with_faster_layers
from evenhand.models.training.pointwise import PixelwiseProduct
from evenhand.models.training.small_depthwise import SmallDepthwise

PIXELS = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)


@cache
def built(name: str) -> keras.Model:
    return build_network(Classifier(name=name), (32, 32, 3), 4, seed=0)


@pytest.fixture(params=["efficientnetv2-b0", "cnn"])
def network(request) -> keras.Model:
    return built(request.param)


def those_of(kind: type[keras.layers.Layer], network: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in network._flatten_layers() if type(layer) is kind]


def gradients(model: keras.Model, plain: keras.Model, inputs: tf.Tensor) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = keras.ops.sum(keras.ops.square(model(inputs)))
    return tape.gradient(loss, [inputs, *(weight.value for weight in plain.trainable_variables)])


def test_same_variables_in_the_same_order(network):
    faster = with_faster_layers(network)
    assert [id(variable) for variable in faster.variables] == [id(variable) for variable in network.variables]
    assert [id(weight) for weight in faster.trainable_variables] == [id(w) for w in network.trainable_variables]


def test_same_outputs(network):
    np.testing.assert_allclose(with_faster_layers(network)(PIXELS), network(PIXELS), rtol=1e-4, atol=1e-5)


def test_saved_file_is_plain_keras(network, tmp_path):
    with_faster_layers(network)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(PIXELS), network(PIXELS), rtol=1e-5, atol=1e-6)


def test_efficientnet_computes_most_convolutions_as_products():
    network = built("efficientnetv2-b0")
    convolutions = those_of(keras.layers.Conv2D, network)
    found = those_of(PixelwiseProduct, with_faster_layers(network))
    assert len(convolutions) - len(found) == 6  # those of 3x3: the stem and the fused blocks
    assert len(found) > 60


def test_efficientnet_sums_products_where_a_map_is_smaller_than_its_kernel():
    network = built("efficientnetv2-b0")
    faster = with_faster_layers(network)
    small = those_of(SmallDepthwise, faster)
    # All but the first, whose maps are of 4x4 pixels; later ones have 2x2, then one.
    assert len(small) == 15 and len(those_of(keras.layers.DepthwiseConv2D, network)) == 16


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_gradients_are_those_of_the_convolution(use_bias, activation):
    images = keras.Input((5, 4, 3))
    convolution = keras.layers.Conv2D(6, 1, use_bias=use_bias, activation=activation, bias_initializer="random_normal")
    plain = keras.Model(images, convolution(images))
    inputs = tf.constant(np.random.default_rng(1).normal(size=(2, 5, 4, 3)).astype(np.float32))
    faster = with_faster_layers(plain)
    for ours, theirs in zip(gradients(faster, plain, inputs), gradients(plain, plain, inputs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize(("kernel", "size"), [(3, (1, 1)), (3, (2, 2)), (5, (4, 3)), (3, (2, 7)), ((2, 5), (4, 4))])
def test_depthwise_convolutions_of_small_maps_are_the_same(kernel, size, strides, use_bias):
    images = keras.Input((*size, 6))
    layer = keras.layers.DepthwiseConv2D(
        kernel, strides, "same", use_bias=use_bias, activation="relu", bias_initializer="random_normal"
    )
    plain = keras.Model(images, layer(images))
    faster = with_faster_layers(plain)
    assert len(those_of(SmallDepthwise, faster)) == 1
    inputs = tf.constant(np.random.default_rng(1).normal(size=(3, *size, 6)).astype(np.float32))
    np.testing.assert_allclose(faster(inputs), plain(inputs), rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(gradients(faster, plain, inputs), gradients(plain, plain, inputs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"depth_multiplier": 2, "kernel_size": 7}, {"dilation_rate": 2, "kernel_size": 7}]
)
def test_other_depthwise_convolutions_stay(options):
    images = keras.Input((6, 6, 3))
    outputs = keras.layers.DepthwiseConv2D(**({"kernel_size": 3, "padding": "same"} | options))(images)
    assert not those_of(SmallDepthwise, with_faster_layers(keras.Model(images, outputs)))


def test_small_maps_are_computed_in_the_layer_s_precision():
    images = keras.Input((2, 2, 3))
    plain = keras.Model(images, keras.layers.DepthwiseConv2D(3, padding="same", dtype="mixed_bfloat16")(images))
    outputs = with_faster_layers(plain)(np.ones((1, 2, 2, 3), np.float32))
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(outputs, tf.float32), tf.cast(plain(np.ones((1, 2, 2, 3))), tf.float32), rtol=0.05, atol=0.01
    )


@pytest.mark.parametrize("options", [{"strides": 2}, {"groups": 3}, {"kernel_size": 3}])
def test_other_convolutions_stay(options):
    images = keras.Input((6, 6, 3))
    outputs = keras.layers.Conv2D(6, **({"kernel_size": 1} | options))(images)
    assert not those_of(PixelwiseProduct, with_faster_layers(keras.Model(images, outputs)))
