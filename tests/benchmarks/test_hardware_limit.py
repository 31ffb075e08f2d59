"""What a network computes and moves, against numbers worked out by hand."""

from __future__ import annotations

import keras
import pytest

from benchmarks.hardware_limit import forward_operations, output_bytes


@pytest.fixture
def network() -> keras.Model:
    images = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(images)
    return keras.Model(images, keras.layers.Dense(5, use_bias=False)(keras.layers.Flatten()(features)))


def test_a_multiplication_and_an_addition_for_each_weight_and_place(network: keras.Model) -> None:
    convolution, dense = 2 * (8 * 8 * 4) * (3 * 3 * 3), 2 * (8 * 8 * 4) * 5
    assert forward_operations(network, batch=2) == 2 * (convolution + dense)


def test_outputs_are_four_bytes_each(network: keras.Model) -> None:
    assert output_bytes(network, batch=2) == 4 * 2 * (8 * 8 * 3 + 8 * 8 * 4 + 8 * 8 * 4 + 5)


def test_layers_of_a_network_within_count_once(network: keras.Model) -> None:
    images = keras.Input((8, 8, 3))
    outer = keras.Model(images, keras.layers.Dense(2)(network(images)))
    assert output_bytes(outer, batch=2) == output_bytes(network, batch=2) + 4 * 2 * (8 * 8 * 3 + 2)
