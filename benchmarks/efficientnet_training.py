"""Images a second in the training of EfficientNetV2-B0, the classifier of the demo, and of what it costs to start.

    python -m benchmarks.efficientnet_training [NAME ...] [--sizes 32 64] [--batch 32] [--write]

Each size in a process of its own, with the default settings: the shared training step on images in memory, drawn and
augmented as a run does it, in blocks of steps of which the median is told. The first step traces the function; a
process does that once, however many strategies it trains.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time

from benchmarks.performance_page import parser_for, tell
from benchmarks.turns import THREADS, Worker, markdown, serve

TITLE = "Training EfficientNetV2-B0"
BLOCKS = 5
CLASSES, CHANNELS = 10, 1


def measure(name: str, size: int, batch: int, steps: int) -> dict[str, float]:
    """Seconds to the first step, of a step, of processor time in a step, and GB of memory."""
    import tensorflow as tf

    from benchmarks.sides.keras_ways import noise
    from evenhand.config import Classifier, Device, Training
    from evenhand.data.blend import Draws
    from evenhand.data.training_batches import training_batches
    from evenhand.models.training.classification import SharedClassifier

    tf.config.experimental.enable_op_determinism()  # as every run does by default
    started = time.perf_counter()
    table = noise(size, CHANNELS, CLASSES)
    shared = SharedClassifier(Classifier(name=name), table.image_shape, CLASSES, Device(), keeps_best=False)
    shared.rate.set(1e-3, warm_up=0, steps=10**6)
    draws = Draws(table, None, batch_size=batch, sampling="balanced", seed=0)

    def fit(count: int) -> None:
        data = training_batches(draws, seed=0, num_steps=count, augmentation=Training().augmentation)
        shared.model.fit(data, epochs=1, shuffle=False, verbose=0)

    fit(shared.device.steps_per_execution)
    begun = time.perf_counter() - started
    walls, processors = [], []
    for _ in range(BLOCKS):
        wall, processor = time.perf_counter(), time.process_time()
        fit(steps)
        walls.append((time.perf_counter() - wall) / steps)
        processors.append((time.process_time() - processor) / steps)
    return {
        "start": begun,
        "step": statistics.median(walls),
        "processor": statistics.median(processors),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    parser = parser_for(__doc__, serves=True)
    parser.add_argument("names", nargs="*", default=["efficientnetv2-b0"], help="classifiers")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10, help=f"in each of {BLOCKS} blocks")
    arguments = parser.parse_args()
    if arguments.serve:
        serve({"measure": measure})
        return
    rows = []
    for name in arguments.names:
        for size in arguments.sizes:
            with Worker([sys.executable, "-m", "benchmarks.efficientnet_training", "--serve"]) as worker:
                found = worker.ask("measure", name=name, size=size, batch=arguments.batch, steps=arguments.steps)
            speeds = [arguments.batch / found[key] for key in ("step", "processor")]
            numbers = [1e3 * found["step"], *speeds, found["start"]]
            memory = f"{found['memory']:.1f}"
            rows.append([f"`{name}`, {size} px", *(f"{number:.0f}" for number in numbers), memory])
    head = ["", "a step, ms", "images/s", "images per core-second", "to the first step, s", "memory, GB"]
    text = f"Batches of {arguments.batch} grey images, augmented, {THREADS} threads.\n\n{markdown(head, rows)}"
    tell(TITLE, "efficientnet_training", text, write=arguments.write)


if __name__ == "__main__":
    main()
