"""How long ingesting a data set takes, and how much memory: scan, split, encode, write, and read back as a table.

Run it on Fashion-MNIST (70,000 images):

    python -m benchmarks.ingestion fashion_mnist.npz

Wall-clock time tells how busy the machine was, processor time what the work costs.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evenhand.config import Data


@contextmanager
def timed(stage: str, num_images: int) -> Iterator[None]:
    wall, processor = time.perf_counter(), time.process_time()
    yield
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    each = processor / num_images * 1e6
    print(f"{stage:<22} {wall:7.2f} s wall {processor:7.2f} s processor {each:7.1f} us processor an image", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path, help="an .npz archive or a folder of images")
    parser.add_argument("--image-size", type=int, default=32)
    arguments = parser.parse_args()
    source = "folder" if arguments.path.is_dir() else "npz"
    config = Data(source=source, path=str(arguments.path), image_size=arguments.image_size)

    from evenhand.data.fingerprint import fingerprint
    from evenhand.data.image_tables import load_table  # TensorFlow starts here, outside all timings.
    from evenhand.data.prepare import prepare
    from evenhand.data.records import plan_shards, write_source_shard
    from evenhand.data.sidecar import DataSummary

    tracemalloc.start()
    preparation = prepare(config, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    num_images = len(preparation.image_set)
    print(f"{num_images} images; scanning and splitting took {peak / num_images:.0f} bytes of memory an image at most")

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with timed("scan and split", num_images):
            preparation = prepare(config, seed=0)
        with timed("encode and write", num_images):
            for shard in plan_shards(config, preparation, folder):
                write_source_shard(shard)
        print(f"{'ingestion in all':<22} {time.perf_counter() - start:7.2f} s wall, in one process")
        with timed("fingerprint", num_images):
            digest = fingerprint(config)
        DataSummary.of(preparation, config, digest).write(folder)
        with timed("load table", num_images):
            table = load_table(folder, ["train"], cache=None)
        print(f"{len(table)} training images of shape {table.image_shape}")
    print(
        f"highest resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, with TensorFlow"
    )


if __name__ == "__main__":
    main()
