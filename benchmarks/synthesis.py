"""Synthetic images a second of every generator: drawn, and drawn, encoded and written as a run does it.

    python -m benchmarks.synthesis [NAME ...] [--size 32] [--channels 1] [--count 1024] [--write]

Every generator with its default options and untrained weights, which take as long as trained ones, is saved, loaded
again in a process of its own, and asked for images of one class in blocks of 64, as `SyntheticExampleGen` asks for
them. `written` is one shard of records, PNG files and all.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.performance_page import parser_for, tell
from benchmarks.turns import THREADS, Worker, markdown, serve

TITLE = "Drawing synthetic images"
SLOW = 4.0
"""Seconds for a block of 64 from which on fewer blocks are drawn."""


def save(name: str, size: int, channels: int, folder: str) -> None:
    """An untrained generator, as a run would have saved it."""
    from benchmarks.generator_steps import table_of
    from evenhand import registry
    from evenhand.models.generator_artifact import save_generator
    from evenhand.models.train_generator import GeneratorRun

    table = table_of(size, channels)
    module = registry.load("models.generators", name)
    options = module.Options()
    model = module.build(options, table, seed=0)
    model.prepare_to_sample(table)
    run = GeneratorRun(model, name, options, seed=0, steps=0, seconds=0.0, history=(), device={})
    save_generator(run, folder, class_names=table.class_names)


def measure(folder: str, count: int) -> dict[str, float]:
    """Images a second drawn and written, seconds to load and draw the first block, and GB of memory."""
    from evenhand.models import synthetic_records
    from evenhand.models.generator_artifact import load_sampler
    from evenhand.models.sample_generator import BLOCK, sample_generator

    started = time.perf_counter()
    sampler = load_sampler(folder)
    sample_generator(sampler, label=0, count=BLOCK)
    begun = time.perf_counter() - started
    started = time.perf_counter()
    sample_generator(sampler, label=0, count=BLOCK)
    if time.perf_counter() - started > SLOW:
        count = BLOCK
    started, processor = time.perf_counter(), time.process_time()
    sample_generator(sampler, label=0, count=count)
    drawing, processor = time.perf_counter() - started, time.process_time() - processor
    with tempfile.TemporaryDirectory() as output:
        [shard] = synthetic_records.plan_shards(folder, sampler.class_names[:1], [count], output)
        synthetic_records.write_synthetic_shard(shard)  # loads the generator
        started = time.perf_counter()
        synthetic_records.write_synthetic_shard(shard)
        writing = time.perf_counter() - started
    return {
        "drawn": count / drawing,
        "per core": count / processor,
        "written": count / writing,
        "start": begun,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    from evenhand import registry

    parser = parser_for(__doc__, serves=True)
    parser.add_argument("names", nargs="*", help="generators; all that are trained by default")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--count", type=int, default=1024)
    arguments = parser.parse_args()
    if arguments.serve:
        serve({"save": save, "measure": measure})
        return
    rows = []
    for name in arguments.names or [name for name in registry.names("models.generators") if name != "folder"]:
        command = [sys.executable, "-m", "benchmarks.synthesis", "--serve"]
        with tempfile.TemporaryDirectory() as folder:
            target = str(Path(folder, "generator"))
            with Worker(command) as worker:
                worker.ask("save", name=name, size=arguments.size, channels=arguments.channels, folder=target)
            with Worker(command) as worker:
                found = worker.ask("measure", folder=target, count=arguments.count)
        speeds = [f"{found[key]:.0f}" for key in ("drawn", "written", "per core")]
        rows.append([f"`{name}`", *speeds, f"{found['start']:.1f}", f"{found['memory']:.1f}"])
        print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    head = ["", "drawn, images/s", "and written", "drawn per core-second", "to the first block, s", "memory, GB"]
    shape = f"{arguments.size}x{arguments.size}x{arguments.channels}"
    text = f"Images of {shape} pixels, default options, {THREADS} threads.\n\n{markdown(head, rows)}"
    tell(TITLE, "synthesis", text, write=arguments.write)


if __name__ == "__main__":
    main()
