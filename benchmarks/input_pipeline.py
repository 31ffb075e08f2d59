"""Is training bound by arithmetic or by input? The `cnn` fed by tf.data against the same steps on one cached batch.

    python -m benchmarks.input_pipeline [--write]

A ratio of 1.00 means that input costs nothing. The last row has the same input with TensorFlow's autotuning, which a
dataset has unless it is taken away, as evenhand does: an iterator that ends waits for its thread, which sleeps. All
take turns, so that a busy machine slows them alike.
"""

from __future__ import annotations

import functools
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

from benchmarks.pages import machine
from benchmarks.performance_page import parser_for, tell
from benchmarks.sides.keras_ways import noise
from benchmarks.turns import in_turns, markdown, ratio
from evenhand import registry
from evenhand.config import Augmentation
from evenhand.data import batches

TITLE = "Is training bound by arithmetic?"
CACHED, AUTOTUNED = "one cached batch", "instance sampling, autotuned"


def autotuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The dataset as it would be without evenhand's options."""
    options = tf.data.Options()
    options.autotune.enabled = True
    return dataset.with_options(options)


def seconds_per_step(model: keras.Model, dataset: tf.data.Dataset, steps: int) -> float:
    start = time.perf_counter()
    model.fit(dataset, epochs=1, steps_per_epoch=steps, verbose=0)
    return (time.perf_counter() - start) / steps


def seconds_alone(dataset: tf.data.Dataset) -> float:
    """To go through it without a training."""
    start = time.perf_counter()
    for _ in dataset:
        pass
    return time.perf_counter() - start


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()

    table = noise(arguments.size, 1, 10, arguments.images)
    module, shape = registry.load("models.classifiers", "cnn"), table.image_shape
    model = module.build(module.Options(), variant=None, image_shape=shape, num_classes=10, weights=None, seed=0)
    model.compile(
        optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), steps_per_execution=10
    )
    common = {"batch_size": arguments.batch_size, "seed": 0, "num_steps": arguments.steps}
    sources = {
        CACHED: batches.batches(table, sampling="instance", **{**common, "num_steps": 1}).cache().repeat(),
        "instance sampling": batches.batches(table, sampling="instance", **common),
        "balanced sampling": batches.batches(table, sampling="balanced", **common),
        "balanced, augmented": batches.batches(
            table, sampling="balanced", augmentation=Augmentation(rotation=10, shift=0.1, zoom=0.1), **common
        ),
        AUTOTUNED: autotuned(batches.batches(table, sampling="instance", **common)),
    }
    seconds_per_step(model, sources[CACHED], arguments.steps)  # tracing
    clocks = {
        name: functools.partial(seconds_per_step, model, dataset, arguments.steps) for name, dataset in sources.items()
    }
    times = in_turns(clocks, arguments.turns)
    rows = []
    for name, seconds in times.items():
        alone = "" if name == CACHED else f"{1e3 * seconds_alone(sources[name]) / arguments.steps:.1f}"
        rows.append([name, f"{1e3 * statistics.median(seconds):.1f}", ratio(seconds, times[CACHED]), alone])
    text = (
        f"`cnn` at {arguments.size} px in batches of {arguments.batch_size}, fits of {arguments.steps} steps on "
        f"{machine()}, against the same on one cached batch, in turns.\n\n"
        + markdown(["input", "a step, ms", "times the cached batch's time", "input alone, ms a batch"], rows)
    )
    tell(TITLE, "input_pipeline", text, write=arguments.write)


if __name__ == "__main__":
    main()
