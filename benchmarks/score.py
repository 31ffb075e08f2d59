"""How long `evenhand score` takes for two folders of 10,000 images each on `--extractor cnn`; the target is 3 minutes.

    python -m benchmarks.score --data FOLDER      # with fashion_mnist.npz: 28 px, training against test images
    python -m benchmarks.score                    # without it: drawn shapes of 32 px in colour

The folders are made anew and taken away; making them is not part of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenhand.data.export import export_images

Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]


def fashion_mnist(folder: Path, count: int) -> dict[str, Labelled]:
    with np.load(folder / "fashion_mnist.npz") as data:
        return {
            "real": (data["x_train"][:count, ..., None], data["y_train"][:count].astype(np.int64)),
            "synthetic": (data["x_test"][:count, ..., None], data["y_test"][:count].astype(np.int64)),
        }


def shapes(count: int, seed: int) -> Labelled:
    """Rings of ten sizes in random colours, with noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    distance = np.hypot(x, y) + rng.normal(0, 0.05, (count, 1, 1))
    ring = np.exp(-(((distance - 0.09 * labels[:, None, None]) / 0.1) ** 2))
    colours = rng.uniform(60, 235, (count, 1, 1, 3))
    noisy = ring[..., None] * colours + rng.normal(0, 10, (count, 32, 32, 3)) + 10
    return np.clip(noisy, 0, 255).astype(np.uint8), labels


def rows(side: Labelled) -> Iterator[tuple[NDArray[np.uint8], int, str]]:
    for number, (pixels, label) in enumerate(zip(*side, strict=True)):
        yield pixels, int(label), str(number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with fashion_mnist.npz")
    parser.add_argument("--images", type=int, default=10_000, help="in each folder, at most 10,000 with --data")
    arguments = parser.parse_args()

    count = arguments.images
    sides = (
        fashion_mnist(arguments.data, count)
        if arguments.data
        else {"real": shapes(count, 0), "synthetic": shapes(count, 1)}
    )
    with tempfile.TemporaryDirectory(prefix="evenhand-score-") as root:
        folders = [Path(root, name) for name in sides]
        for folder, side in zip(folders, sides.values(), strict=True):
            export_images(rows(side), [f"class {label}" for label in range(10)], folder, "folder")
        load = os.getloadavg()[0]
        started = time.monotonic()
        command = [sys.executable, "-m", "evenhand.cli", "score", *map(str, folders), "--extractor", "cnn", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    scores = json.loads(done.stdout)
    print({name: value for name, value in scores.items() if name not in ("per_class", "warnings")})
    cores, after = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(
        f"{scores['num_real']} and {scores['num_synthetic']} images in {seconds:.0f} s, "
        f"{used.ru_utime + used.ru_stime:.0f} s of CPU, on {cores} cores; "
        f"the load was {load:.1f} before and {after:.1f} after"
    )


if __name__ == "__main__":
    main()
