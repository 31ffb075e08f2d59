"""Peak memory of FID, KID and precision/recall/density/coverage beside the features themselves; the target is 2 GB.

    python -m benchmarks.score_memory                        # 100,000 images of each side
    python -m benchmarks.score_memory --images 20000         # fewer images

100,000 x 2,048 float32 features on each side by default. Each measure runs in a process of its own, which prints how
much its resident memory rose above what the features take, what it held in all, and the time. Precision and its kin
take two multiplications and additions for each pair of images and feature, three times over: at 100,000 images 120
TFLOP. So they run twice: to the end at `--neighbours` images, and at all of them for `--limit` seconds. Chunks are
all of one size, so that what is left after the limit takes no more memory; `--limit 0` waits for the end.
"""

from __future__ import annotations

import argparse
import resource
import signal
import subprocess
import sys
import time
from typing import NoReturn

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


def measure(name: str, count: int, width: int, limit: int) -> None:
    """Prints what one measure took, or the first `limit` seconds of it; 0 is no limit."""
    real, synthetic = features(0, count, width), features(1, count, width)
    before, started = peak(), time.monotonic()
    signal.signal(signal.SIGALRM, _time_is_up)
    signal.alarm(limit)
    try:
        MEASURES[name](real, synthetic)
        outcome = "done"
    except TimeoutError:
        outcome = "stopped"
    signal.alarm(0)
    seconds = time.monotonic() - started
    work = f" of {6 * count**2 * width / _TERA:.1f} TFLOP" if name == "prdc" else ""
    memory = f"{peak() - before:.2f} GB beside the features, {peak():.2f} GB in all"
    print(f"{name}: {count:,} x {width:,} a side, {memory}, {outcome} after {seconds:.0f} s{work}", flush=True)


def _time_is_up(*_: object) -> NoReturn:
    raise TimeoutError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--neighbours", type=int, default=20_000, help="images of each side for prdc to the end")
    parser.add_argument("--limit", type=int, default=300, help="seconds of prdc with all images; 0 for no limit")
    parser.add_argument("--measure", choices=MEASURES, help="this one, in this process")
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.images, arguments.features, arguments.limit)
        return
    runs = [("fid", arguments.images, 0), ("kid", arguments.images, 0)]
    if arguments.neighbours < arguments.images:
        runs.append(("prdc", arguments.neighbours, 0))
    for name, count, limit in [*runs, ("prdc", arguments.images, arguments.limit)]:
        words = {"measure": name, "images": count, "features": arguments.features, "limit": limit}
        options = [word for option, value in words.items() for word in (f"--{option}", str(value))]
        subprocess.run([sys.executable, "-m", "benchmarks.score_memory", *options], check=True)


if __name__ == "__main__":
    main()
