"""Training of EfficientNetV2-B0, the classifier of the demo, beside the same network as Keras trains it.

    python -m benchmarks.efficientnet_training [NAME ...] [--sizes 32 64] [--batch 32] [--write]

evenhand computes convolutions of one pixel as matrix products and Adam in one operation a variable; the other side is
the plain network under `compile` and `fit` with Keras' own Adam. Either is a process of its own, on the same images in
memory, drawn and augmented as a run does it; they take turns block by block. The first step traces the function; a
process does that once, however many strategies it trains.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.performance_page import parser_for, tell
from benchmarks.turns import THREADS, Worker, in_turns, markdown, ratio, serve

TITLE = "Training EfficientNetV2-B0"
SIDES = ("evenhand", "Keras")
TURNS = 5
CLASSES, CHANNELS = 10, 1


class Side:
    """What one process trains."""

    def __init__(self) -> None:
        self._fit: Callable[[int], Any] | None = None

    def prepare(self, side: str, name: str, size: int, batch: int) -> float:
        """Seconds to the first step."""
        import keras
        import tensorflow as tf

        from benchmarks.sides.keras_ways import noise
        from evenhand.config import Classifier, Device, Training
        from evenhand.data.blend import Draws
        from evenhand.data.training_batches import training_batches
        from evenhand.models.training.classification import SharedClassifier, build_network

        tf.config.experimental.enable_op_determinism()  # as every run does by default
        table = noise(size, CHANNELS, CLASSES)
        draws = Draws(table, None, batch_size=batch, sampling="balanced", seed=0)
        started, at_once = time.perf_counter(), 1
        if side == "Keras":
            model = build_network(Classifier(name=name), table.image_shape, CLASSES, seed=0)
            loss = keras.losses.CategoricalCrossentropy(from_logits=True)
            model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"], jit_compile=False)
        else:
            shared = SharedClassifier(Classifier(name=name), table.image_shape, CLASSES, Device(), keeps_best=False)
            shared.rate.set(1e-3, warm_up=0, steps=10**6)
            model, at_once = shared.model, shared.device.steps_per_execution

        def fit(steps: int) -> None:
            data = training_batches(draws, seed=0, num_steps=steps, augmentation=Training().augmentation)
            model.fit(data, epochs=1, shuffle=False, verbose=0)

        self._fit = fit
        fit(at_once)
        return time.perf_counter() - started

    def seconds(self, steps: int) -> float:
        """Of a step."""
        assert self._fit is not None, "prepare comes first"
        started = time.perf_counter()
        self._fit(steps)
        return (time.perf_counter() - started) / steps

    def memory(self) -> float:
        """GB at most so far."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def rows_of(name: str, size: int, batch: int, steps: int) -> list[list[str]]:
    """A row of the table for each side."""
    program = [sys.executable, "-m", "benchmarks.efficientnet_training", "--serve"]
    with Worker(program) as ours, Worker(program) as theirs:
        workers = dict(zip(SIDES, (ours, theirs), strict=True))
        starts = {
            side: worker.ask("prepare", side=side, name=name, size=size, batch=batch)
            for side, worker in workers.items()
        }
        clocks = {side: lambda worker=worker: worker.ask("seconds", steps=steps) for side, worker in workers.items()}
        times = in_turns(clocks, TURNS)
        memory = {side: worker.ask("memory") for side, worker in workers.items()}
    return [
        [
            f"`{name}`, {size} px, {side}",
            f"{1e3 * statistics.median(times[side]):.0f}",
            f"{batch / statistics.median(times[side]):.0f}",
            ratio(times[side], times[SIDES[0]]),
            f"{starts[side]:.0f}",
            f"{memory[side]:.1f}",
        ]
        for side in SIDES
    ]


def main() -> None:
    parser = parser_for(__doc__, serves=True)
    parser.add_argument("names", nargs="*", default=["efficientnetv2-b0"], help="classifiers")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20, help=f"in each of {TURNS} turns")
    arguments = parser.parse_args()
    if arguments.serve:
        side = Side()
        serve({"prepare": side.prepare, "seconds": side.seconds, "memory": side.memory})
        return
    rows = [
        row
        for name in arguments.names
        for size in arguments.sizes
        for row in rows_of(name, size, arguments.batch, arguments.steps)
    ]
    head = ["", "a step, ms", "images/s", "times our time", "to the first step, s", "memory, GB"]
    text = f"Batches of {arguments.batch} grey images, augmented, {THREADS} threads.\n\n{markdown(head, rows)}"
    tell(TITLE, "efficientnet_training", text, write=arguments.write)


if __name__ == "__main__":
    main()
