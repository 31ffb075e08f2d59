"""Batch normalisation in one operation gives Keras' outputs, gradients and averages; whatever it cannot do stays."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand.config import Classifier
from evenhand.models.training.classification import build_network
from evenhand.models.training.faster_layers import with_faster_layers
from evenhand.models.training.fused_normalisation import FusedNormalisation

MAPS = tf.constant(np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 3, 6)).astype(np.float32))
TARGET = tf.constant(np.random.default_rng(1).normal(size=MAPS.shape).astype(np.float32))
AVERAGES = {"gamma": "random_normal", "beta": "random_normal", "moving_mean": "random_normal"}


def plain_network(shape=MAPS.shape[1:], **options) -> keras.Model:
    images = keras.Input(shape)
    given = {f"{name}_initializer": value for name, value in AVERAGES.items()}
    return keras.Model(images, keras.layers.BatchNormalization(momentum=0.8, **(given | options))(images))


def fused(network: keras.Model) -> keras.Model:
    faster = with_faster_layers(network)
    assert any(isinstance(layer, FusedNormalisation) for layer in faster.layers)
    return faster


def step(model: keras.Model, network: keras.Model, maps: tf.Tensor) -> list[np.ndarray]:
    """Outputs, gradients and averages of a step in training, which leaves the network as it was."""
    before = network.get_weights()
    with tf.GradientTape() as tape:
        tape.watch(maps)
        outputs = model(maps, training=True)
        loss = tf.reduce_sum(tf.square(tf.cast(outputs, tf.float32) - TARGET[: len(maps), : maps.shape[1], :1]))
    found = tape.gradient(loss, [maps, *(weight.value for weight in network.trainable_weights)])
    after = network.get_weights()
    network.set_weights(before)
    return [np.asarray(tf.cast(array, tf.float32)) for array in (outputs, *found, *after)]


@pytest.mark.parametrize("images", [4, 1])
def test_a_training_step_is_that_of_keras(images):
    network, maps = plain_network(), MAPS[:images]
    for ours, theirs in zip(step(fused(network), network, maps), step(network, network, maps), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_averages_follow_the_plain_variance():
    network = plain_network()
    fused(network)(MAPS, training=True)
    _, _, _, variance = network.get_weights()
    np.testing.assert_allclose(variance, 0.8 + 0.2 * np.var(MAPS, axis=(0, 1, 2)), rtol=1e-5)


def test_a_map_of_one_pixel_of_one_image_has_no_variance():
    network = plain_network(shape=(1, 1, 6))
    fused(network)(MAPS[:1, :1, :1], training=True)
    np.testing.assert_allclose(network.get_weights()[3], np.full(6, 0.8), rtol=1e-6)


@pytest.mark.parametrize("is_frozen", [True, False])
def test_out_of_training_and_where_frozen_the_averages_count_and_stay(is_frozen):
    network = plain_network()
    network.layers[1].trainable = not is_frozen
    before = network.get_weights()
    outputs = fused(network)(MAPS, training=is_frozen)
    np.testing.assert_allclose(outputs, network(MAPS, training=False), rtol=1e-6)
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_keeps_its_type_and_float32_averages(policy):
    network = plain_network(dtype=policy)
    outputs = fused(network)(MAPS, training=True)
    averages = network.get_weights()
    assert outputs.dtype == network.layers[1].compute_dtype
    again = plain_network()
    again.set_weights(averages)
    np.testing.assert_allclose(averages[3], 0.8 + 0.2 * np.var(MAPS, axis=(0, 1, 2)), rtol=0.01)
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), again(MAPS, training=True), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"axis": 1}, {"renorm": True}])
def test_other_normalisations_stay(options):
    faster = with_faster_layers(plain_network(**options))
    assert not any(isinstance(layer, FusedNormalisation) for layer in faster.layers)


def test_vectors_are_normalised_by_keras():
    assert not any(isinstance(layer, FusedNormalisation) for layer in with_faster_layers(plain_network((6,))).layers)


def test_every_normalisation_of_efficientnet_is_fused():
    faster = with_faster_layers(build_network(Classifier(name="efficientnetv2-b0"), (32, 32, 3), 4, seed=0))
    layers = faster._flatten_layers()
    inner = [layer.layer for layer in layers if isinstance(layer, FusedNormalisation)]
    assert {id(layer) for layer in layers if isinstance(layer, keras.layers.BatchNormalization)} == set(map(id, inner))
    assert len(inner) > 50
