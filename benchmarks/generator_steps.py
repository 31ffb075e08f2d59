"""A training step of every generator: where its time goes, and what XLA, bfloat16 and longer executions change.

    python -m benchmarks.generator_steps [NAME ...] [--size 32] [--channels 1] [--batch 64] [--write]

For each generator with its default options: milliseconds a step on one cached batch, of each of its updates (measured
alone) and of input (drawing batches alone), and images drawn a second. Then the same step with one setting changed, as
a ratio of times (above 1: slower), all in turns within this one run. The defaults of
`evenhand/models/training/device.py` are chosen from them.

On a CPU times are of the processor, summed over threads, which other work on the machine hardly changes; on an
accelerator they are of the clock.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.pages import machine
from benchmarks.performance_page import parser_for, tell
from benchmarks.turns import Clock, in_turns, markdown, ratio
from evenhand import registry
from evenhand.config import Device
from evenhand.data.batches import batches
from evenhand.data.image_table import ImageTable
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from evenhand.models.training.device import resolve

NUM_CLASSES, PER_CLASS = 10, 50
TURNS = 3
SECONDS_A_TURN = 2.0
CALLS = 5
"""Of an update alone, and batches of input."""

SETTINGS = {
    "as it is": Device(xla=False, precision="float32", steps_per_execution=4),
    "1 step an execution": Device(xla=False, precision="float32", steps_per_execution=1),
    "bfloat16": Device(xla=False, precision="mixed_bfloat16", steps_per_execution=4),
    "XLA": Device(xla=True, precision="float32", steps_per_execution=4),
}


@dataclass(frozen=True)
class Case:
    """What is measured."""

    name: str
    table: ImageTable
    batch_size: int


def now() -> float:
    """Seconds of the processor, or of the clock where an accelerator does the work."""
    return time.perf_counter() if tf.config.list_logical_devices("GPU") else time.process_time()


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
    # In the steps of a warm-up an auto-encoder learns alone: they are few, and shorter than all others.
    model.step.assign(model.warm_up)
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


def clock_of(model: ConditionalGenerator, data: tf.data.Dataset) -> Clock:
    """Seconds a step; the first call to it, here, traces outside the timing."""
    shortest = model.steps_per_execution

    def fit(steps: int) -> float:
        started = now()
        model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False)
        return (now() - started) / steps

    fit(shortest)
    executions = max(1, round(SECONDS_A_TURN / fit(shortest) / shortest))
    return lambda: fit(executions * shortest)


def seconds_of(call: Callable[[], object], times: int) -> float:
    """Median seconds of a call after a first one."""
    call()
    spent = []
    for _ in range(times):
        started = now()
        call()
        spent.append(now() - started)
    return statistics.median(spent)


def update_seconds(model: ConditionalGenerator, data: tf.data.Dataset) -> dict[str, float]:
    """Seconds of each update alone, as often as it repeats in a step."""
    parts = next(iter(data))
    size = len(parts[1]) // model.batches_per_step
    images = tf.cast(parts[0][:size], tf.float32) / 127.5 - 1.0
    batch = Batch(images, *(tf.cast(part[:size], part.dtype) for part in parts[1:]))
    seconds = {}
    for update in model.updates:
        improve = tf.function(lambda update=update: model.improve(update, batch, tf.constant([0, 1])))
        seconds[update.name] = seconds_of(improve, CALLS) * update.repeat / update.every
    return seconds


def where_time_goes(case: Case) -> tuple[str, str, str]:
    """Milliseconds of each update and of input, and images drawn a second."""
    model, data = build(case, Device())
    updates = update_seconds(model, data)
    started = now()
    for _ in real_batches(model, case, CALLS):
        pass
    reading = (now() - started) / CALLS
    model.prepare_to_sample(case.table)
    draw = tf.function(model.sample)
    block = (tf.zeros(64, tf.int32), tf.range(64, dtype=tf.int64))
    drawing = seconds_of(lambda: draw(*block), 3)
    parts = ", ".join(f"{name} {1e3 * seconds:.0f}" for name, seconds in updates.items())
    return parts, f"{1e3 * reading:.1f}", f"{64 / drawing:,.0f}"


def row(case: Case) -> list[str]:
    """What the table says of one generator."""
    updates, reading, drawing = where_time_goes(case)
    keras.backend.clear_session()
    times = in_turns({name: clock_of(*build(case, device)) for name, device in SETTINGS.items()}, TURNS)
    keras.backend.clear_session()
    base, *others = times.values()
    step = f"{1e3 * statistics.median(base):.0f}"
    return [case.name, step, updates, reading, drawing, *(ratio(other, base) for other in others)]


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("names", nargs="*", help="generators; all that train by default")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    arguments = parser.parse_args()
    table = table_of(arguments.size, arguments.channels)
    rows = []
    for name in arguments.names or [name for name in registry.names("models.generators") if name != "folder"]:
        rows.append(row(Case(name, table, arguments.batch)))
        print("  ".join(rows[-1]), flush=True)
    head = ("generator", "a step, ms", "its updates, ms", "input, ms", "draws, images/s", *list(SETTINGS)[1:])
    tell(
        "Training steps of the generators",
        f"generator_steps --size {arguments.size} --channels {arguments.channels} --batch {arguments.batch}",
        f"{arguments.size} px, {arguments.channels} channel(s), batches of {arguments.batch}, default options, on "
        f"{machine()}, in processor time. The step is in float32, without XLA, four in an execution; the last columns "
        "tell how many times as long it takes with one setting changed (median, least and most of three turns). "
        "Updates were measured alone, so that they add up to the step only about.\n\n" + markdown(head, rows),
        write=arguments.write,
    )


if __name__ == "__main__":
    main()
