"""How every input pipeline runs: with fixed numbers of elements at work and ahead, without TensorFlow's autotuning.

What autotuning would look for is known here: drawing a batch takes a small part of a training step
(`benchmarks.input_pipeline`). And it costs time. Its thread sleeps for 10 ms, then 20, 40, … up to a minute, and an
iterator that ends waits until it wakes: TensorFlow (2.21) calls it before it notes that the iterator has ended, so that
a thread which is quick goes back to sleep. A training took up to twice as long.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

_AHEAD = 2


def mapped(dataset: tf.data.Dataset, function: Callable[..., Any]) -> tf.data.Dataset:
    """`function` of every element, in order, as many at a time as there are processors."""
    return dataset.map(function, num_parallel_calls=os.cpu_count(), deterministic=True)


def ahead(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements, some of them drawn ahead of whoever takes them, without autotuning."""
    return untuned(dataset.prefetch(_AHEAD))


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements without autotuning."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
