"""Training of every classifier, beside the same network as Keras trains it, and without oneDNN's kernels.

    python -m benchmarks.classifier_training [NAME ...] [--size 32] [--batch 32] [--write]

evenhand computes convolutions of one pixel as matrix products and Adam in one operation a variable; Keras' side is the
plain network under `compile` and `fit` with Keras' own Adam. evenhand has TensorFlow take oneDNN's kernels; Keras'
side, and evenhand once more, take TensorFlow's own, as it does by itself on CPUs without instructions for networks.
Each is a process of its own, on the same images in memory, drawn and augmented as a run does it; they take turns block
by block. The first step traces the function; a process does that once, however many strategies it trains.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from benchmarks.pages import machine
from benchmarks.performance_page import parser_for, tell
from benchmarks.turns import THREADS, Worker, in_turns, markdown, ratio, serve

if TYPE_CHECKING:
    from benchmarks.sides.keras_ways import Clocks
    from evenhand.config import Device

TITLE = "Training the classifiers"
NAMES = ("efficientnetv2-b0", "cnn", "resnet50")
OURS, WITHOUT, KERAS = "evenhand", "evenhand, without oneDNN", "Keras, without oneDNN"
SIDES = {OURS: "1", WITHOUT: "0", KERAS: "0"}
"""What each is told of oneDNN."""
TURNS = 5
CLASSES, CHANNELS = 10, 1


def clocks_of(side: str, name: str, size: int, batch: int) -> Clocks:
    """The clock of what one process trains."""
    import keras

    from benchmarks.sides.keras_ways import Clocks, Fit, noise
    from evenhand.config import Classifier, Training
    from evenhand.data.blend import Draws
    from evenhand.data.training_batches import training_batches
    from evenhand.models.training.classification import SharedClassifier, build_network

    def build(device: Device) -> Fit:
        table, classifier = noise(size, CHANNELS, CLASSES), Classifier(name=name)
        if side == KERAS:
            model = build_network(classifier, table.image_shape, CLASSES, seed=0)
            loss = keras.losses.CategoricalCrossentropy(from_logits=True)
            model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"], jit_compile=False)
        else:
            shared = SharedClassifier(classifier, table.image_shape, CLASSES, device, looks_every=None)
            shared.rate.set(1e-3, warm_up=0, steps=10**6)
            model = shared.model
        draws = Draws(table, None, batch_size=batch, sampling="balanced", seed=0)
        augmentation = Training().augmentation
        return model, lambda steps: training_batches(draws, seed=0, num_steps=steps, augmentation=augmentation)

    return Clocks(build, name)


def serve_side(settings: dict[str, Any]) -> None:
    """Answers for one process: seconds to the first steps, seconds of a step, and GB of memory at most so far."""
    from benchmarks.sides.keras_ways import DEFAULT

    clocks = clocks_of(**settings)

    def prepare() -> float:
        started = time.perf_counter()
        clocks.prepare(DEFAULT)
        return time.perf_counter() - started

    serve(
        {
            "prepare": prepare,
            "seconds": lambda steps: clocks.seconds(DEFAULT, steps),
            "memory": lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        }
    )


def rows_of(name: str, size: int, batch: int, steps: int) -> list[list[str]]:
    """A row of the table for each side."""
    program = [sys.executable, "-m", "benchmarks.classifier_training", "--serve"]
    with ExitStack() as stack:
        workers = {
            side: stack.enter_context(
                Worker(
                    [*program, json.dumps({"side": side, "name": name, "size": size, "batch": batch})],
                    {"TF_ENABLE_ONEDNN_OPTS": onednn},
                )
            )
            for side, onednn in SIDES.items()
        }
        starts = {side: worker.ask("prepare") for side, worker in workers.items()}
        clocks = {side: lambda worker=worker: worker.ask("seconds", steps=steps) for side, worker in workers.items()}
        times = in_turns(clocks, TURNS)
        memory = {side: worker.ask("memory") for side, worker in workers.items()}
    return [
        [
            f"`{name}`, {side}",
            f"{1e3 * statistics.median(times[side]):.0f}",
            f"{batch / statistics.median(times[side]):.0f}",
            ratio(times[side], times[OURS]),
            f"{starts[side]:.0f}",
            f"{memory[side]:.1f}",
        ]
        for side in SIDES
    ]


def main() -> None:
    parser = parser_for(__doc__, serves=True)
    parser.add_argument("names", nargs="*", default=list(NAMES), help="classifiers")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20, help=f"in each of {TURNS} turns")
    arguments = parser.parse_args()
    if arguments.serve:
        serve_side(json.loads(arguments.names[0]))
        return
    rows = [row for name in arguments.names for row in rows_of(name, arguments.size, arguments.batch, arguments.steps)]
    head = ["", "a step, ms", "images/s", "times our time", "to the first step, s", "memory, GB"]
    images = f"{arguments.batch} grey images of {arguments.size} pixels"
    text = f"Batches of {images}, augmented, {THREADS} threads, {machine()}.\n\n{markdown(head, rows)}"
    tell(TITLE, "classifier_training", text, write=arguments.write)


if __name__ == "__main__":
    main()
