"""Elements are drawn in parallel and ahead, in order, and no pipeline has TensorFlow's autotuning."""

from __future__ import annotations

import time

import numpy as np
import pytest
import tensorflow as tf

from evenhand.data.batches import batches, sequential
from evenhand.data.blend import Draws
from evenhand.data.input_pipeline import ahead, mapped
from evenhand.data.training_batches import training_batches
from tests import tables

TABLE = tables.noise((4, 4, 1), [5, 3])


def test_elements_stay_in_order_where_the_first_takes_longest():
    def slow_first(number: np.int64) -> np.int64:
        time.sleep(0.2 if number == 0 else 0.0)
        return number * number

    data = ahead(mapped(tf.data.Dataset.range(8), lambda number: tf.numpy_function(slow_first, [number], tf.int64)))
    assert [int(number) for number in data] == [number * number for number in range(8)]


@pytest.mark.parametrize(
    "data",
    [
        batches(TABLE, batch_size=4, sampling="instance", seed=0, num_steps=3),
        training_batches(Draws(TABLE, batch_size=4, sampling="instance", seed=0), seed=0, num_steps=3),
        sequential(TABLE, 4),
    ],
    ids=["batches", "training", "sequential"],
)
def test_no_thread_tunes_a_pipeline(data):
    """It would hold up an iterator that ends, by up to the time that it has run."""
    assert data.options().autotune.enabled is False
