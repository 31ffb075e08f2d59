"""How long ingesting a data set takes, and how much memory: scan, split, encode, write, and read back as a table.

Run it on Fashion-MNIST (70,000 images):

    python -m benchmarks.ingestion fashion_mnist.npz [--write]

Wall-clock time tells how busy the machine was, processor time what the work costs.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.pages import machine
from benchmarks.performance_page import parser_for, tell
from benchmarks.turns import markdown
from evenhand.config import Data
from evenhand.data.fingerprint import fingerprint
from evenhand.data.image_tables import load_table
from evenhand.data.prepare import prepare
from evenhand.data.records import plan_shards, write_source_shard
from evenhand.data.sidecar import DataSummary

TITLE = "Ingestion"
HEAD = ("step", "wall, s", "processor, s", "processor per image, µs")


class Stages:
    """The rows of the table, a stage each.

    Args:
      num_images: that each stage goes through.
    """

    def __init__(self, num_images: int) -> None:
        self.rows: list[list[str]] = []
        self._num_images = num_images

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds a row with what the block takes."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        self.rows.append([stage, f"{wall:.2f}", f"{processor:.2f}", f"{processor / self._num_images * 1e6:.1f}"])


def measure(config: Data) -> str:
    """Ingests the data set into a temporary folder and tells what each stage took, in Markdown."""
    # Apart from the clocks, which it would slow down.
    tracemalloc.start()
    num_images = len(prepare(config, seed=0).image_set)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    stages = Stages(num_images)
    with tempfile.TemporaryDirectory() as folder:
        with stages.timed("ingestion in all"):
            with stages.timed("scan, duplicates, splits"):
                preparation = prepare(config, seed=0)
            with stages.timed("resize, encode as PNG, write TFRecords"):
                for shard in plan_shards(config, preparation, folder):
                    write_source_shard(shard)
        with stages.timed("fingerprint of the source"):
            digest = fingerprint(config)
        DataSummary.of(preparation, config, digest).write(folder)
        with stages.timed("read the training images back into a memory-mapped table"):
            table = load_table(folder, ["train"], cache=None)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{num_images:,} images resized to {config.image_size} px, {len(table):,} of them for training, in one process "
        f"on {machine()}.\n\n{markdown(HEAD, stages.rows)}\n\n"
        f"Scanning and splitting take at most {peak / num_images:.0f} bytes of memory an image; the process held "
        f"{resident:,.0f} MiB at most, TensorFlow's among them."
    )


def main(words: Sequence[str] | None = None) -> None:
    parser = parser_for(__doc__)
    parser.add_argument("path", type=Path, help="an .npz archive or a folder of images")
    parser.add_argument("--image-size", type=int, default=32)
    arguments = parser.parse_args(words)
    source = "folder" if arguments.path.is_dir() else "npz"
    config = Data(source=source, path=str(arguments.path), image_size=arguments.image_size)
    tell(TITLE, f"ingestion {arguments.path.name}", measure(config), write=arguments.write)


if __name__ == "__main__":
    main()
