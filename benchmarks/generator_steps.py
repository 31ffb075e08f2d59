"""Steps per second of every generator, where the time goes, and what XLA, bfloat16 and longer executions change.

    python -m benchmarks.generator_steps [NAME ...] [--size 32] [--channels 1] [--batch 64] [--steps 30]

For each generator with its default options: milliseconds a step on one cached batch, the share of each of its updates
(measured alone), of input (drawing batches alone), and images drawn a second. Then the same step with one setting
changed, as a ratio of times (above 1: slower), all in turns within this one run. The defaults of
`evenhand/models/training/device.py` are chosen from them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from evenhand import registry
from evenhand.config import Device
from evenhand.data.batches import batches
from evenhand.data.image_table import ImageTable
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from evenhand.models.training.device import resolve

NUM_CLASSES, PER_CLASS = 10, 50
TURNS = 3


@dataclass(frozen=True)
class Case:
    """What is measured."""

    name: str
    table: ImageTable
    batch_size: int
    steps: int


def table_of(size: int, channels: int) -> ImageTable:
    """Noise: arithmetic takes as long on it as on anything."""
    numbers = np.random.default_rng(0)
    labels = np.repeat(np.arange(NUM_CLASSES, dtype=np.int32), PER_CLASS)
    images = numbers.integers(0, 256, (len(labels), size, size, channels)).astype(np.uint8)
    keypoints = numbers.uniform(0.2, 0.8, (len(labels), 21, 3)).astype(np.float32)
    names = tuple(str(label) for label in range(NUM_CLASSES))
    return ImageTable(images, labels, labels.astype(str), names, keypoints)


def build(case: Case, settings: Device) -> tuple[ConditionalGenerator, tf.data.Dataset]:
    """A model ready to train, and one batch for ever."""
    device = resolve(settings, case.name)
    module = registry.load("models.generators", case.name)
    with device.scope():
        model = module.build(module.Options(), case.table, seed=0)
        model.prepare(jit_compile=device.jit_compile, steps_per_execution=device.steps_per_execution)
    return model, real_batches(model, case, 1).cache().repeat()


def real_batches(model: ConditionalGenerator, case: Case, num_steps: int) -> tf.data.Dataset:
    """What training reads."""
    return batches(
        case.table,
        batch_size=case.batch_size * model.batches_per_step,
        sampling="balanced",
        seed=0,
        num_steps=num_steps,
        with_keypoints=model.uses_keypoints,
    )


def step_seconds(model: ConditionalGenerator, data: tf.data.Dataset, steps: int) -> Iterator[float]:
    """Seconds a step, again and again; the first call to it traces outside the timing."""
    model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False)
    while True:
        started = time.perf_counter()
        model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False)
        yield (time.perf_counter() - started) / steps


def seconds_of(call: Callable[[], object], times: int) -> float:
    """Median seconds of a call after a first one."""
    call()
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def update_seconds(model: ConditionalGenerator, data: tf.data.Dataset, times: int) -> dict[str, float]:
    """Seconds of each update alone, as often as it repeats in a step."""
    parts = next(iter(data))
    size = len(parts[1]) // model.batches_per_step
    images = tf.cast(parts[0][:size], tf.float32) / 127.5 - 1.0
    batch = Batch(images, *(tf.cast(part[:size], part.dtype) for part in parts[1:]))
    seconds = {}
    for update in model.updates:
        improve = tf.function(lambda update=update: model.improve(update, batch, tf.constant([0, 1])))
        seconds[update.name] = seconds_of(improve, times) * update.repeat / update.every
    return seconds


def where_time_goes(case: Case) -> str:
    """One line: a step, its updates, input, drawing."""
    model, data = build(case, Device())
    step = statistics.median([next(step_seconds(model, data, case.steps)) for _ in range(TURNS)])
    updates = update_seconds(model, data, max(case.steps // 3, 3))
    started = time.perf_counter()
    for _ in real_batches(model, case, case.steps):
        pass
    reading = (time.perf_counter() - started) / case.steps
    model.prepare_to_sample(case.table)
    draw = tf.function(model.sample)
    block = (tf.zeros(64, tf.int32), tf.range(64, dtype=tf.int64))
    drawing = seconds_of(lambda: draw(*block), 3)
    parts = ", ".join(f"{name} {1e3 * seconds:.1f}" for name, seconds in updates.items())
    return f"step {1e3 * step:.1f} ms ({parts}; input alone {1e3 * reading:.1f}), draws {64 / drawing:.0f} images/s"


def what_settings_change(case: Case, settings: dict[str, Device]) -> str:
    """Ratios to the first setting, measured in turns."""
    clocks = {name: step_seconds(*build(case, device), case.steps) for name, device in settings.items()}
    times: dict[str, list[float]] = {name: [] for name in clocks}
    for _ in range(TURNS):
        for name, clock in clocks.items():
            times[name].append(next(clock))
    base = statistics.median(next(iter(times.values())))
    return ", ".join(f"{name} {statistics.median(spent) / base:.2f}" for name, spent in list(times.items())[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="generators; all that train by default")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=30)
    arguments = parser.parse_args()
    settings = {
        "float32, no XLA, 10 steps an execution": Device(xla=False, precision="float32", steps_per_execution=10),
        "1 step an execution": Device(xla=False, precision="float32", steps_per_execution=1),
        "bfloat16": Device(xla=False, precision="mixed_bfloat16", steps_per_execution=10),
        "XLA": Device(xla=True, precision="float32", steps_per_execution=10),
    }
    table = table_of(arguments.size, arguments.channels)
    for name in arguments.names or [name for name in registry.names("models.generators") if name != "folder"]:
        case = Case(name, table, arguments.batch, arguments.steps)
        print(f"{name}: {where_time_goes(case)}", flush=True)
        keras.backend.clear_session()
        print(f"{name}: relative to {next(iter(settings))}: {what_settings_change(case, settings)}", flush=True)
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
