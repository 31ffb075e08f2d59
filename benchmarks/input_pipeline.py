"""Is training bound by arithmetic or by input? The `cnn` fed by tf.data against the same steps on one cached batch.

    python -m benchmarks.input_pipeline

Prints the ratio of the two times: 1.00 means that input costs nothing. Both are timed in turns, so that a busy machine
slows both alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from evenhand import registry
from evenhand.config import Augmentation
from evenhand.data import batches
from evenhand.data.image_table import ImageTable


def seconds_per_step(model: keras.Model, dataset: tf.data.Dataset, steps: int) -> float:
    start = time.perf_counter()
    model.fit(dataset, epochs=1, steps_per_epoch=steps, verbose=0)
    return (time.perf_counter() - start) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    shape = (arguments.size, arguments.size, 1)
    table = ImageTable(
        images=rng.integers(0, 256, (arguments.images, *shape), np.uint8),
        labels=rng.integers(0, 10, arguments.images).astype(np.int32),
        ids=np.arange(arguments.images).astype(str),
        class_names=tuple("0123456789"),
    )
    module = registry.load("models.classifiers", "cnn")
    model = module.build(module.Options(), variant=None, image_shape=shape, num_classes=10, weights=None, seed=0)
    model.compile(
        optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), steps_per_execution=10
    )
    common = {"batch_size": arguments.batch_size, "seed": 0, "num_steps": arguments.steps}
    sources = {
        "one cached batch": batches.batches(table, sampling="instance", **{**common, "num_steps": 1}).cache().repeat(),
        "instance": batches.batches(table, sampling="instance", **common),
        "balanced": batches.batches(table, sampling="balanced", **common),
        "balanced, augmented": batches.batches(
            table, sampling="balanced", augmentation=Augmentation(rotation=10, shift=0.1, zoom=0.1), **common
        ),
    }
    seconds_per_step(model, sources["one cached batch"], arguments.steps)  # tracing
    times: dict[str, list[float]] = {name: [] for name in sources}
    for _ in range(arguments.turns):
        for name, dataset in sources.items():
            times[name].append(seconds_per_step(model, dataset, arguments.steps))
    base = statistics.median(times["one cached batch"])
    for name, values in times.items():
        step = statistics.median(values)
        print(f"{name:<22} {step * 1e3:8.2f} ms a step   ratio {step / base:.2f}")
    for name, dataset in list(sources.items())[1:]:
        start = time.perf_counter()
        for _ in dataset:
            pass
        print(f"{name:<22} {(time.perf_counter() - start) / arguments.steps * 1e3:8.2f} ms a batch, input alone")


if __name__ == "__main__":
    main()
