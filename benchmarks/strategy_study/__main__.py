"""Every strategy on the long-tailed Fashion-MNIST of S3, over paired seeds: docs/results.md and docs/results.json.

    python -m benchmarks.strategy_study fashion-mnist-cgan-high --data FOLDER          # FOLDER holds fashion_mnist.npz
    python -m benchmarks.strategy_study fashion-mnist-cgan-low --data FOLDER --hours 3 # stop after 3 hours, go on later
    python -m benchmarks.strategy_study fashion-mnist-cgan-high --data FOLDER --quick  # one seed, the key arms
    python -m benchmarks.strategy_study fashion-mnist-cgan-high --tables-only          # write what there is

The unit of work is an arm with a seed. A finished one is kept in benchmarks/records/strategy_study, predictions and
all, and never done again under the same settings; one that was interrupted goes on from its last checkpoint. The same
command goes on where it stopped. Another `--steps` or generator makes another study, which has its own units in the
same folder; one of other `--steps` has tables of its own in the documents too.

With the default budget a table takes about 30 hours of 2 cores (0.28 core-seconds a step, AVX2), `--quick` two and a
half; on an H100 and 16 cores with a process for each seed, 20 minutes. Studies may run side by side on different
`--seeds`, each with `--threads 1`, on an accelerator with `TF_FORCE_GPU_ALLOW_GROWTH=true`.

To choose between settings, `--development` judges on held-out training images and prints the table, with further arms
from `--variants FILE`; the test images are for what was chosen.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from benchmarks.pages import DOCS, RECORDS
from benchmarks.strategy_study.arms import ARMS, Rank, StudyArm, chosen
from benchmarks.strategy_study.development import development_archive, read_variants
from benchmarks.strategy_study.page import section, write_tables
from benchmarks.strategy_study.protocol import FILE, TABLES, Protocol, StudyTable
from benchmarks.strategy_study.records import Records
from benchmarks.strategy_study.rows import measured_arms, table_rows
from benchmarks.strategy_study.sitting import Sitting, units
from evenhand.config import Device, Generator, Training

RUNS = Path("runs", "strategy_study")
SEEDS = (0, 1, 2, 3, 4)
STEPS = 5000
BATCH_SIZE = 128
LEARNING_RATE = 1e-3
GENERATOR_STEPS = 3000


def arguments_of(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.strategy_study",
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("table", choices=list(TABLES))
    parser.add_argument("--data", type=Path, help=f"folder with {FILE}")
    parser.add_argument(
        "--only", nargs="+", metavar="ARM", help="train these arms; the table has all that are recorded"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--quick", action="store_true", help="the first of the seeds, and the key arms")
    parser.add_argument("--all", action="store_true", help="train arms of less interest too")
    parser.add_argument("--hours", type=float, help="begin no further unit after so long")
    parser.add_argument("--steps", type=int, default=STEPS, help="gradient steps of an arm, pretraining counted")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE)
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE, help="peak")
    parser.add_argument("--generator", default="class_vae")
    parser.add_argument("--generator-steps", type=int, default=GENERATOR_STEPS)
    parser.add_argument("--generator-options", type=json.loads, metavar="JSON", help="instead of the study's own")
    parser.add_argument("--per-class", type=int, default=2000, help="synthetic images of each class")
    parser.add_argument("--precision", default="auto", help="as in the config's device section")
    parser.add_argument("--xla", choices=("auto", "true", "false"), default="false", help="as --precision")
    parser.add_argument("--threads", type=int, help="of one operation; all cores when left out")
    parser.add_argument(
        "--records", type=Path, default=RECORDS / "strategy_study", help="where finished units are kept"
    )
    parser.add_argument("--runs", type=Path, default=RUNS, help="where images and checkpoints are kept")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the tables are written")
    parser.add_argument("--development", action="store_true", help="judge on held-out training images, print the table")
    parser.add_argument("--variants", type=Path, metavar="YAML", help="with --development: further arms")
    parser.add_argument("--tables-only", action="store_true", help="train nothing")
    return parser.parse_args(words)


def protocol_of(settings: argparse.Namespace) -> Protocol:
    """What the arguments ask for."""
    return Protocol(
        ratio=TABLES[settings.table].ratio,
        training=Training(
            steps=settings.steps,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            augmentation=None,
        ),
        generator=Generator(
            name=settings.generator,
            steps=settings.generator_steps,
            options=_generator_options(settings),
            # The last weights: there are no held-out images to choose others by.
            monitor=None,
        ),
        per_class=settings.per_class,
        device=Device.model_validate({"precision": settings.precision, "xla": settings.xla}),
        is_development=settings.development,
    )


def _generator_options(settings: argparse.Namespace) -> dict[str, Any]:
    if settings.generator_options is not None or settings.generator != "class_vae":
        return dict(settings.generator_options or {})
    return {"latent_size": 16, "decay_steps": settings.generator_steps}


def main(words: Sequence[str] | None = None) -> None:
    settings = arguments_of(words)
    if settings.variants is not None and not settings.development:
        raise SystemExit("--variants goes with --development: what is published stands in benchmarks/strategy_study")
    table, protocol = TABLES[settings.table], protocol_of(settings)
    runs = settings.runs / table.name
    records = Records(runs / "development" if settings.development else settings.records / table.name)
    arms = [*ARMS, *(read_variants(settings.variants) if settings.variants else ())]
    left = 0
    if not settings.tables_only:
        left = _train(settings, arms, Sitting(protocol, _archive(settings), runs, records, settings.hours))
    measured = measured_arms(arms, sorted({*SEEDS, *settings.seeds}), protocol, records)
    if not measured:
        raise SystemExit(f"{records.folder} holds no unit with these settings")
    rows = table_rows(measured)
    made_by = _command(settings, [one.arm for one in measured])
    if settings.development:
        print(section(table, protocol, rows, made_by))
    else:
        write_tables(_shown(table, settings.steps), protocol, rows, made_by, settings.docs)
    print(f"{left} units are left" if left else "every unit asked for has ended")


def _shown(table: StudyTable, steps: int) -> StudyTable:
    """The table itself, or that of another budget beside it."""
    if steps == STEPS:
        return table
    return replace(table, name=f"{table.name}-{steps}-steps", title=f"{table.title}, {steps:,} steps")


def _archive(settings: argparse.Namespace) -> Path:
    path: Path | None = None if settings.data is None else settings.data / FILE
    if path is None or not path.is_file():
        raise SystemExit(f"it needs --data FOLDER with {FILE} in it")
    return development_archive(path, settings.runs) if settings.development else path


def _train(settings: argparse.Namespace, arms: Sequence[StudyArm], sitting: Sitting) -> int:
    """Units that are left."""
    if settings.threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
    seeds = settings.seeds[:1] if settings.quick else settings.seeds
    last: Rank = "key" if settings.quick else "further" if settings.all else "usual"
    trained = [arm for arm in chosen(settings.only, arms, last) if not arm.is_adjusted]
    return sitting.run(units(trained, seeds))


def _command(settings: argparse.Namespace, arms: Sequence[StudyArm]) -> str:
    """What makes the whole table of these arms, without where things lie on this machine."""
    words = ["python", "-m", "benchmarks.strategy_study", settings.table, "--data", "FOLDER"]
    defaults = arguments_of([settings.table])
    for name in (
        "steps",
        "batch_size",
        "learning_rate",
        "generator",
        "generator_steps",
        "per_class",
        "precision",
        "xla",
    ):
        if getattr(settings, name) != getattr(defaults, name):
            words += [f"--{name.replace('_', '-')}", str(getattr(settings, name))]
    if not {arm.name for arm in chosen((), ARMS, "key")} <= {arm.name for arm in arms}:
        words += ["--only", *(arm.name for arm in arms)]
    if settings.development:
        words.append("--development")
    if settings.generator_options is not None:
        words += ["--generator-options", shlex.quote(json.dumps(settings.generator_options))]
    return " ".join(words)


if __name__ == "__main__":
    main()
