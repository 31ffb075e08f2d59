"""Convolutions of one pixel as matrix products: the same function, gradients, variables and file."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand.config import Classifier
from evenhand.models.training.classification import build_network
from evenhand.models.training.pointwise import PixelwiseProduct, with_pixelwise_products

PIXELS = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=["efficientnetv2-b0", "cnn"])
def network(request) -> keras.Model:
    return build_network(Classifier(name=request.param), (32, 32, 3), 4, seed=0)


def products(network: keras.Model) -> list[PixelwiseProduct]:
    return [layer for layer in network._flatten_layers() if isinstance(layer, PixelwiseProduct)]


def test_same_variables_in_the_same_order(network):
    faster = with_pixelwise_products(network)
    assert [id(variable) for variable in faster.variables] == [id(variable) for variable in network.variables]
    assert [id(weight) for weight in faster.trainable_variables] == [id(w) for w in network.trainable_variables]


def test_same_outputs(network):
    np.testing.assert_allclose(with_pixelwise_products(network)(PIXELS), network(PIXELS), rtol=1e-4, atol=1e-5)


def test_saved_file_is_plain_keras(network, tmp_path):
    with_pixelwise_products(network)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(PIXELS), network(PIXELS), rtol=1e-5, atol=1e-6)


def test_efficientnet_computes_most_convolutions_as_products():
    network = build_network(Classifier(name="efficientnetv2-b0"), (32, 32, 3), 4, seed=0)
    convolutions = [layer for layer in network._flatten_layers() if type(layer) is keras.layers.Conv2D]
    found = products(with_pixelwise_products(network))
    assert len(convolutions) - len(found) == 6  # those of 3x3: the stem and the fused blocks
    assert len(found) > 60


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_gradients_are_those_of_the_convolution(use_bias, activation):
    images = keras.Input((5, 4, 3))
    convolution = keras.layers.Conv2D(6, 1, use_bias=use_bias, activation=activation, bias_initializer="random_normal")
    plain = keras.Model(images, convolution(images))
    inputs = tf.constant(np.random.default_rng(1).normal(size=(2, 5, 4, 3)).astype(np.float32))

    def gradients(model):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = keras.ops.sum(keras.ops.square(model(inputs)))
        return tape.gradient(loss, [inputs, *(weight.value for weight in plain.trainable_variables)])

    for ours, theirs in zip(gradients(with_pixelwise_products(plain)), gradients(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [{"strides": 2}, {"groups": 3}, {"kernel_size": 3}])
def test_other_convolutions_stay(options):
    images = keras.Input((6, 6, 3))
    outputs = keras.layers.Conv2D(6, **({"kernel_size": 1} | options))(images)
    assert not products(with_pixelwise_products(keras.Model(images, outputs)))
