"""Peak memory of FID, KID and precision/recall/density/coverage beside the features themselves; the target is 2 GB.

    python -m benchmarks.score_memory                        # FID and KID in full, neighbours of 20,000 a side
    python -m benchmarks.score_memory --images 20000         # fewer images

100,000 x 2,048 float32 features on each side by default. Each measure runs in a process of its own, which prints how
much its resident memory rose above what the features take, and the time. Neighbours take two multiplications and
additions for each pair of images and feature, three times over: at 100,000 images 120 TFLOP, so that measure is timed
at `--neighbours` images and the rest follows by the square; its memory does not grow with that number, beside the
features.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from numpy.typing import NDArray

from evenhand.evaluation.image_quality import frechet_distance, kernel_distance, prdc

MEASURES = {"fid": frechet_distance, "kid": kernel_distance, "prdc": prdc}
_TERA = 1e12


def features(seed: int, count: int, width: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, width), np.float32)


def peak() -> float:
    """GB of memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(name: str, count: int, width: int) -> None:
    """Prints what one measure took."""
    real, synthetic = features(0, count, width), features(1, count, width)
    before, started = peak(), time.monotonic()
    MEASURES[name](real, synthetic)
    seconds = time.monotonic() - started
    work = f", {6 * count**2 * width / _TERA:.1f} TFLOP" if name == "prdc" else ""
    risen = f"{peak() - before:.2f} GB beside them"
    print(f"{name}: {count:,} x {width:,} a side, {risen}, {seconds:.0f} s{work}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--neighbours", type=int, default=20_000, help="images of each side for prdc")
    parser.add_argument("--measure", choices=MEASURES, help="this one, in this process")
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.images, arguments.features)
        return
    for name in MEASURES:
        count = min(arguments.images, arguments.neighbours) if name == "prdc" else arguments.images
        command = [sys.executable, "-m", "benchmarks.score_memory", "--measure", name, "--images", str(count)]
        subprocess.run([*command, "--features", str(arguments.features)], check=True)


if __name__ == "__main__":
    main()
