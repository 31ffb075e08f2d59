"""Training steps per second of each variant of `cgan`, and how fast images are drawn.

Run: `.venv/bin/python benchmarks/generator_steps.py [--size 32] [--batch 64] [--seconds 5]`. Prints one line a variant,
with the ratio to the default variant.
"""

from __future__ import annotations

import argparse
import time
from typing import get_args

import numpy as np
import tensorflow as tf

from evenhand.config import Device
from evenhand.models.generators import cgan
from evenhand.models.training.device import resolve

NUM_CLASSES = 10


def measure(variant: str, size: int, batch_size: int, seconds: float) -> tuple[float, float, float]:
    """Seconds until the first steps are done, steps per second after them, images drawn per second."""
    device = resolve(Device(), "cgan")
    model = cgan.build(cgan.Options(variant=variant), image_shape=(size, size, 1), num_classes=NUM_CLASSES, seed=0)
    model.prepare(jit_compile=device.jit_compile, steps_per_execution=device.steps_per_execution)
    numbers = np.random.default_rng(0)
    images = numbers.uniform(0, 255, (batch_size, size, size, 1)).astype("float32")
    labels = numbers.integers(0, NUM_CLASSES, batch_size).astype("int32")
    data = tf.data.Dataset.from_tensors((images, labels)).repeat()

    def train(steps: int) -> float:
        started = time.perf_counter()
        model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False)
        return time.perf_counter() - started

    chunk = device.steps_per_execution
    warm_up, steps, spent = train(chunk), 0, 0.0
    while spent < seconds:
        spent += train(chunk)
        steps += chunk
    draw = tf.function(model.sample)
    block = (tf.zeros(64, tf.int32), tf.range(64, dtype=tf.int64))
    draw(*block)
    started = time.perf_counter()
    for _ in range(10):
        draw(*block).numpy()
    return warm_up, steps / spent, 640 / (time.perf_counter() - started)


def main() -> None:
    """Measures every variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    default = None
    for variant in get_args(cgan.Options.model_fields["variant"].annotation):
        warm_up, rate, drawn = measure(variant, arguments.size, arguments.batch, arguments.seconds)
        default = default or rate
        print(
            f"{variant:22} first {warm_up:5.1f} s, then {rate:7.1f} steps/s ({rate / default:5.2f} of the default), "
            f"draws {drawn:7.0f} images/s",
            flush=True,
        )


if __name__ == "__main__":
    main()
