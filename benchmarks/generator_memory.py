"""Peak memory of the two generators that hold on to training images: 5,000 images in a class, and 200 classes.

    python -m benchmarks.generator_memory

Each trains a few steps at 32 pixels in colour, watched and kept in checkpoints as in a run, and draws, in a process of
its own; the target is 4 GB.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from evenhand.config import Device, Generator
from evenhand.data.image_table import ImageTable

CASES = {
    "polarity_gan": ([5000, 4000, 3000, 2000, 1500, 1000, 500, 250, 100, 50], {"warm_up_steps": 10}),
    "class_vae": ([100] * 50 + [30] * 50 + [10] * 50 + [3] * 50, {}),
    "class_vae, nothing shared": ([100] * 50 + [30] * 50 + [10] * 50 + [3] * 50, {"sharing": "none"}),
}
STEPS = 120


def train_and_draw(case: str) -> None:
    """Prints the peak resident memory of one case."""
    from evenhand.models.sample_generator import sample_generator
    from evenhand.models.train_generator import train_generator

    counts, options = CASES[case]
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 32, 32, 3), dtype=np.uint8)
    names = tuple(f"class {label}" for label in range(len(counts)))
    table = ImageTable(images, labels, np.arange(len(labels)).astype(str), names)
    config = Generator(name=case.partition(",")[0], steps=STEPS, options=options)
    with tempfile.TemporaryDirectory() as state:
        run = train_generator(table, config, device=Device(steps_per_execution=5), state_dir=Path(state))
    sample_generator(run.sampler(), label=0, count=64)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{case}: {len(counts)} classes, {len(labels)} images, at most {peak:.2f} GB", flush=True)


def main() -> None:
    for case in CASES:
        subprocess.run([sys.executable, "-m", "benchmarks.generator_memory", case], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train_and_draw(sys.argv[1])
    else:
        main()
