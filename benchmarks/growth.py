"""How time and memory grow from 10,000 to 100,000 images, and from 10 to 200 classes, stage by stage.

    python -m benchmarks.growth [--images 10000 100000] [--classes 10 200] [--write]

Noise at 32 pixels goes through the library's own calls: ingestion (read through, divide, encode, write), decoding the
records into a table, balanced and augmented batches from it, the judgement of 2,000 synthetic images (features, copies,
scores), the result and the report from predictions of a fifth of the images by two strategies, and TFX's Evaluator on a
tenth of them. Each stage runs in a process of its own. Memory is what the stage adds to what its process held before,
without pages of files, which the kernel may drop at will. The target is time that grows no faster than the images, and
memory that hardly grows.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pages import machine
from benchmarks.performance_page import parser_for, tell
from benchmarks.turns import Worker, markdown, serve

TITLE = "Growth"
SIZE = 32
BATCHES, BATCH = 200, 64
SYNTHETIC = 2000
HELD_OUT = 0.1
"""Share of the images for validation, and again for test."""


class Memory:
    """The most memory of its own that this process held, sampled by a thread; pages of mapped files do not count."""

    def __init__(self) -> None:
        self.before = self.most = _own_bytes()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.01):
            self.most = max(self.most, _own_bytes())

    def risen(self) -> int:
        """Bytes beside what there were at first; ends the watch."""
        self._done.set()
        self._thread.join()
        return max(self.most, _own_bytes()) - self.before


def _own_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("RssAnon")]
    return 1024 * int(line.split()[1])


@contextmanager
def measured(found: dict[str, float]) -> Iterator[None]:
    """Fills in seconds and bytes of what stands within."""
    memory, started = Memory(), time.perf_counter()
    yield
    found["seconds"] = time.perf_counter() - started
    found["bytes"] = memory.risen()


def source(folder: str, images: int, classes: int) -> None:
    """An archive of noise, equally many of every class."""
    numbers = np.random.default_rng(0)
    np.savez(
        Path(folder, "source.npz"),
        x_train=numbers.integers(0, 256, (images, SIZE, SIZE, 1), dtype=np.uint8),
        y_train=np.arange(images) % classes,
    )


def ingestion(folder: str) -> dict[str, float]:
    """Reads through, divides, encodes and writes."""
    from evenhand.config import Data
    from evenhand.data.fingerprint import fingerprint
    from evenhand.data.prepare import prepare
    from evenhand.data.records import plan_shards, write_source_shard
    from evenhand.data.sidecar import DataSummary

    config = Data.model_validate(
        {
            "source": "npz",
            "path": f"{folder}/source.npz",
            "image_size": SIZE,
            "splits": {"validation": HELD_OUT, "test": HELD_OUT},
        }
    )
    found: dict[str, float] = {}
    with measured(found):
        preparation = prepare(config, seed=0)
        for shard in plan_shards(config, preparation, f"{folder}/examples"):
            write_source_shard(shard)
        DataSummary.of(preparation, config, fingerprint(config)).write(f"{folder}/examples")
    return found


def table(folder: str) -> dict[str, float]:
    """Decodes the training images into a mapped table."""
    from evenhand.data.image_tables import load_table

    found: dict[str, float] = {}
    with measured(found):
        load_table(f"{folder}/examples", ["train"], cache=Path(folder, "tables"))
    return found


def training_input(folder: str) -> dict[str, float]:
    """Draws batches, each a pure function of its number, from anywhere in the table."""
    from evenhand.config import Training
    from evenhand.data.blend import Draws
    from evenhand.data.image_tables import load_table
    from evenhand.data.training_batches import training_batches

    images = load_table(f"{folder}/examples", ["train"], cache=Path(folder, "tables"))
    found: dict[str, float] = {}
    with measured(found):
        draws = Draws(images, None, batch_size=BATCH, sampling="balanced", seed=0)
        for _ in training_batches(draws, seed=0, num_steps=BATCHES, augmentation=Training().augmentation):
            pass
    return found


def judgement(folder: str) -> dict[str, float]:
    """Synthetic images, noise as the real ones, against training and held-out images."""
    from dataclasses import replace

    from evenhand.data.image_tables import load_table
    from evenhand.models.judge_synthetic import judge_synthetic

    cache = Path(folder, "tables")
    train = load_table(f"{folder}/examples", ["train"], cache=cache)
    held_out = load_table(f"{folder}/examples", ["validation", "test"], cache=cache)
    noise = np.random.default_rng(1).integers(0, 256, (SYNTHETIC, *train.image_shape), dtype=np.uint8)
    labels = np.arange(SYNTHETIC, dtype=train.labels.dtype) % len(train.class_names)
    synthetic = replace(
        train, images=noise, labels=labels, ids=np.char.add("synthetic", np.arange(SYNTHETIC).astype(str))
    )
    found: dict[str, float] = {}
    with measured(found):
        judge_synthetic(synthetic, train, held_out, held_out, seed=0)
    return found


def report(folder: str) -> dict[str, float]:
    """Result and report of two strategies from their predictions."""
    from evenhand.data.sidecar import DataSummary
    from evenhand.report.collect import Evidence, StrategyEvidence, build_result
    from evenhand.report.render import render_html, render_markdown

    data = DataSummary.read(f"{folder}/examples")
    found: dict[str, float] = {}
    with measured(found):
        strategies = {
            name: StrategyEvidence(predictions=[_predictions(data, seed)], phases=[], steps=1, uses_synthetic=False)
            for seed, name in enumerate(("baseline", "balanced_softmax"))
        }
        evidence = Evidence(
            data=data.model_dump(mode="json"),
            synthetic_counts=[0] * len(data.class_names),
            strategies=strategies,
            selected="baseline",
        )
        result = build_result(evidence)
        render_html(result, [], [])
        render_markdown(result)
    return found


def _predictions(data: Any, seed: int) -> Any:
    """Of a classifier that is right about half the time."""
    from evenhand.report.predictions import Predictions

    counts = [data.counts[split] for split in ("validation", "test")]
    labels = np.concatenate([np.repeat(np.arange(len(data.class_names)), count) for count in counts])
    splits = np.repeat(["validation", "test"], [sum(count) for count in counts])
    p = np.random.default_rng(seed).dirichlet(np.ones(len(data.class_names)), len(labels)).astype(np.float32)
    p[np.arange(len(labels)), labels] += 0.5 * p.max(axis=1)
    ids = np.char.add("image", np.arange(len(labels)).astype(str))
    return Predictions.of(0, ids, splits, labels, p / p.sum(axis=1, keepdims=True))


def model(folder: str) -> None:
    """A classifier after one step, as a Trainer leaves it."""
    from evenhand.config import Classifier, Training
    from evenhand.data.image_tables import load_table
    from evenhand.models.phase import Phase
    from evenhand.models.serving import export_classifier
    from evenhand.models.train_classifier import ClassifierTraining, train_classifier

    images = load_table(f"{folder}/examples", ["validation"], cache=Path(folder, "tables"))
    training = ClassifierTraining(classifier=Classifier(name="cnn"), training=Training(steps=1))
    run = train_classifier(images, Phase(on="real"), training, steps=1)
    export_classifier(run, Path(folder, "model", "Format-Serving"))


def evaluator(folder: str) -> dict[str, float]:
    """TFX's Evaluator with our metrics, on the test images."""
    from google.protobuf import json_format
    from tfx.components.evaluator.executor import Executor
    from tfx.dsl.components.base import base_beam_executor
    from tfx.types import standard_artifacts

    from evenhand.components.evaluator import eval_config
    from evenhand.components.example_gen import describe_examples
    from evenhand.config import RunConfig
    from evenhand.data.sidecar import DataSummary
    from evenhand.pipeline.beam import beam_arguments
    from evenhand.pipeline.lean_beam import lean_beam

    examples, trained = standard_artifacts.Examples(), standard_artifacts.Model()
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    for artifact, name in ((examples, "examples"), (trained, "model"), (evaluation, "tfma"), (blessing, "blessing")):
        artifact.uri = f"{folder}/{name}"
    describe_examples(examples, ("train", "validation", "test"), DataSummary.read(examples.uri).class_names)
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=beam_arguments(RunConfig().beam), tmp_dir=f"{folder}/tmp"
    )
    settings = {
        "eval_config": json_format.MessageToJson(
            eval_config(is_baseline=True, is_gated=False), preserving_proto_field_name=True
        ),
        "example_splits": json.dumps(["test"]),
        "fairness_indicator_thresholds": "null",
    }
    found: dict[str, float] = {}
    with lean_beam(), measured(found):
        Executor(context).Do(
            {"examples": [examples], "model": [trained]}, {"evaluation": [evaluation], "blessing": [blessing]}, settings
        )
    return found


STAGES: dict[str, Callable[[str], dict[str, float]]] = {
    "ingestion": ingestion,
    "records to a table": table,
    f"{BATCHES} batches": training_input,
    f"judgement of {SYNTHETIC:,} synthetic images": judgement,
    "result and report": report,
    "TFX's Evaluator": evaluator,
}


def measure(images: int, classes: int, names: list[str]) -> dict[str, dict[str, float]]:
    """Every stage, in turn."""
    command = [sys.executable, "-m", "benchmarks.growth", "--serve"]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        with Worker(command) as worker:
            worker.ask("source", folder=folder, images=images, classes=classes)
        for name in STAGES:
            if name == "TFX's Evaluator" and name in names:
                with Worker(command) as worker:
                    worker.ask("model", folder=folder)
            if name in names:
                with Worker(command) as worker:
                    found[name] = worker.ask(name, folder=folder)
                print(f"{images} images, {classes} classes: {name} {found[name]}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = parser_for(__doc__, serves=True)
    parser.add_argument("--images", type=int, nargs=2, default=[10_000, 100_000], metavar=("FEW", "MANY"))
    parser.add_argument("--classes", type=int, nargs=2, default=[10, 200], metavar=("FEW", "MANY"))
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES), help="those before are needed")
    arguments = parser.parse_args()
    if arguments.serve:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        serve({"source": source, "model": model, **STAGES})
        return
    (few, many), (narrow, wide) = arguments.images, arguments.classes
    cases = [(few, narrow), (many, narrow), (few, wide)]
    found = [measure(images, classes, arguments.stages) for images, classes in cases]
    rows = []
    for name in arguments.stages:
        spent = [case[name]["seconds"] for case in found]
        risen = [f"{case[name]['bytes'] / 2**20:.0f}" for case in found]
        growth = [f"{spent[1] / spent[0]:.1f}", f"{spent[2] / spent[0]:.1f}"]
        rows.append([name, *(f"{seconds:.1f}" for seconds in spent), *growth, *risen])
    names = [f"{images:,} / {classes}" for images, classes in cases]
    head = ["", *(f"{name}, s" for name in names), f"x{many // few} images", f"x{wide // narrow} classes"]
    table_ = markdown([*head, *(f"{name}, MiB" for name in names)], rows)
    tell(
        TITLE,
        "growth",
        f"Images / classes, on {machine()}; time, its growth, and memory.\n\n{table_}",
        write=arguments.write,
    )


if __name__ == "__main__":
    main()
