"""How fast the exported classifier answers: encoded images in, classes out, by its SavedModel alone.

    python -m benchmarks.serving [NAME ...] [--size 32] [--stored 256] [--seconds 5] [--write]

Latency is that of one PNG file of `--stored` pixels a side, decoded, resized and classified; throughput that of batches
of 64. The model is exported in one process and loaded in another, with TensorFlow's own loader, as a server does it.
"""

from __future__ import annotations

import io
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.performance_page import parser_for, tell
from benchmarks.turns import THREADS, Worker, markdown, serve

TITLE = "Serving"
BATCH = 64
CLASSES, CHANNELS = 10, 1
WARM_UP = 5


def export(name: str, size: int, folder: str) -> None:
    """A classifier after one step, as a run would have exported it."""
    from benchmarks.sides.keras_ways import noise
    from evenhand.config import Classifier, Training
    from evenhand.models.phase import Phase
    from evenhand.models.serving import export_classifier
    from evenhand.models.train_classifier import ClassifierTraining, train_classifier

    training = ClassifierTraining(classifier=Classifier(name=name), training=Training(steps=1))
    table = noise(size, CHANNELS, CLASSES)
    export_classifier(train_classifier(table, Phase(on="real"), training, steps=1), Path(folder))


def measure(folder: str, stored: int, seconds: float) -> dict[str, float]:
    """Milliseconds of one image at the 50th and the 95th percentile, images a second in batches, and what it takes."""
    import tensorflow as tf

    started = time.perf_counter()
    loaded = tf.saved_model.load(folder)
    answer = loaded.signatures["serving_default"]
    files = [_picture(stored, seed) for seed in range(BATCH)]
    answer(image_bytes=tf.constant(files[:1]))
    begun = time.perf_counter() - started
    single = _calls(lambda turn: answer(image_bytes=tf.constant(files[turn % BATCH : turn % BATCH + 1])), seconds)
    batched = _calls(lambda turn: answer(image_bytes=tf.constant(files)), seconds)
    return {
        "p50": 1e3 * float(np.percentile(single, 50)),
        "p95": 1e3 * float(np.percentile(single, 95)),
        "throughput": BATCH / float(np.median(batched)),
        "start": begun,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def _calls(call: Callable[[int], Any], seconds: float) -> list[float]:
    """Seconds of each of the calls that fit into `seconds`, at least ten, after some that do not count."""
    times: list[float] = []
    for turn in range(WARM_UP):
        call(turn)
    end = time.perf_counter() + seconds
    while len(times) < 10 or time.perf_counter() < end:
        started = time.perf_counter()
        call(len(times))["class_index"].numpy()
        times.append(time.perf_counter() - started)
    return times


def _picture(side: int, seed: int) -> bytes:
    """A PNG file with a soft pattern, which compresses about as a photograph does."""
    from PIL import Image

    numbers = np.random.default_rng(seed)
    coarse = numbers.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC), np.int16)
    noisy = np.clip(image + numbers.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "PNG")
    return file.getvalue()


def main() -> None:
    parser = parser_for(__doc__, serves=True)
    parser.add_argument("names", nargs="*", default=["cnn", "efficientnetv2-b0"], help="classifiers")
    parser.add_argument("--size", type=int, default=32, help="of the images that the network sees")
    parser.add_argument("--stored", type=int, nargs="+", default=[32, 256], help="of the images in the files")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    arguments = parser.parse_args()
    if arguments.serve:
        serve({"export": export, "measure": measure})
        return
    rows = []
    for name in arguments.names:
        command = [sys.executable, "-m", "benchmarks.serving", "--serve"]
        with tempfile.TemporaryDirectory() as folder:
            target = str(Path(folder, "model"))
            with Worker(command) as worker:
                worker.ask("export", name=name, size=arguments.size, folder=target)
            for stored in arguments.stored:
                with Worker(command) as worker:
                    found = worker.ask("measure", folder=target, stored=stored, seconds=arguments.seconds)
                times = [f"{found[key]:.1f}" for key in ("p50", "p95")]
                rest = [f"{found['throughput']:.0f}", f"{found['start']:.1f}", f"{found['memory']:.1f}"]
                rows.append([f"`{name}`, files of {stored} px", *times, *rest])
    head = [
        "",
        "one image, ms",
        "95th percentile",
        f"images/s, batches of {BATCH}",
        "to the first answer, s",
        "memory, GB",
    ]
    what = f"PNG files in colour, decoded, resized to {arguments.size} px and classified by the exported SavedModel"
    tell(TITLE, "serving", f"{what}, {THREADS} threads.\n\n{markdown(head, rows)}", write=arguments.write)


if __name__ == "__main__":
    main()
