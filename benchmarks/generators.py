"""What each generator gives for the same time: the tables in docs/generators.md.

    python -m benchmarks.generators digits --core-minutes 4
    python -m benchmarks.generators fashion-mnist --data FOLDER --core-minutes 6     # FOLDER holds fashion_mnist.npz
    python -m benchmarks.generators fashion-mnist-balanced --data FOLDER --core-minutes 60 --only cgan class_vae

Every generator gets the same processor time of training, which other work on the machine hardly changes: the steps that
it takes in that time are measured beforehand, for all in a row (`--steps` sets them). Then it draws 1000 images of each
class, and they are judged: Frechet distance, density and coverage against the real test images, on features of a small
network trained on the whole, balanced training set; and the accuracy, balanced over classes, on the real test images of
a classifier that was trained on the synthetic images alone (Ravuri and Vinyals, Classification Accuracy Score, 2019).
That classifier's images are augmented for digits, as in the demo, and not for Fashion-MNIST, as in S3.
An interrupted training goes on where it was; finished rows are kept in benchmarks/records/generators.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console
from rich.progress import Progress as Bar

from benchmarks.judging import JUDGE, accuracy_score, draw, likeness, save_grid
from benchmarks.pages import DOCS, RECORDS, machine, once, write_section
from benchmarks.real_tables import real_tables
from evenhand import progress, registry
from evenhand.config import Data, Device, Generator, Training, parse_options
from evenhand.data.image_table import ImageTable
from evenhand.models.build_generator import build_generator
from evenhand.models.extractors.cnn import train_extractor
from evenhand.models.feature_extractor import FeatureExtractor
from evenhand.models.sample_generator import BLOCK, sample_generator
from evenhand.models.train_generator import GeneratorRun, train_generator

RUNS = Path("runs", "generators")
PAGE = DOCS / "generators.md"
TRIAL_STEPS = 40
"""Until the clock starts, and again until it stops."""

HALVED = {"kind": "geometric", "ratio": 0.5}


@dataclass(frozen=True)
class Task:
    """A data set that generators are compared on.

    Attributes:
      says: what it is, for the page.
      data: the section of the config.
      file: below `--data`, where the data set does not come with evenhand.
      batch_size: of all generators.
      judge: the classifier that learns from synthetic images alone.
    """

    says: str
    data: dict[str, Any]
    file: str | None = None
    batch_size: int = 64
    judge: Training = JUDGE


FASHION = {"source": "npz", "image_size": 28, "channels": 1}
# As S3 trains. With rotations, shifts and zooms the soft images of `class_vae` taught 0.73 instead of 0.82.
PLAIN_JUDGE = JUDGE.model_copy(update={"augmentation": None})
TASKS = {
    "digits": Task("The demo's digits at 16 pixels, 90 to 3 a class", {"source": "digits", "image_size": 16}),
    "fashion-mnist": Task(
        "Fashion-MNIST, each class half of the one before",
        {**FASHION, "profile": HALVED},
        file="fashion_mnist.npz",
        judge=PLAIN_JUDGE,
    ),
    "fashion-mnist-balanced": Task("Fashion-MNIST as it is", FASHION, file="fashion_mnist.npz", judge=PLAIN_JUDGE),
}


def training_rate(name: str, table: ImageTable, batch_size: int, options: dict[str, Any]) -> tuple[float, GeneratorRun]:
    """Training steps a second of one core after the first ones, 0 where none is trained, and the run."""
    times: list[float] = []

    def watch(report: progress.Progress) -> None:
        if TRIAL_STEPS <= report.done <= 2 * TRIAL_STEPS:
            times.append(time.process_time())

    config = Generator(name=name, steps=2 * TRIAL_STEPS + 1, batch_size=batch_size, options=options, monitor=None)
    with progress.listen(watch):
        run = train_generator(table, config, device=Device(steps_per_execution=10))
    return TRIAL_STEPS / (times[-1] - times[0]) if run.model.updates else 0.0, run


def measure_speed(name: str, table: ImageTable, batch_size: int, options: dict[str, Any]) -> dict[str, float]:
    """Training steps and drawn images a second of one core, after the first of each.

    Where an auto-encoder is trained before the networks that play against each other, both are measured.
    """
    kind = registry.load("models.generators", name).Options
    warm_up = build_generator(name, parse_options(kind, options, "--options"), table, seed=0).warm_up
    speed: dict[str, float] = {"warm_up_steps": warm_up}
    if warm_up:
        warming = {**options, "warm_up_steps": 2 * TRIAL_STEPS}
        speed["warm_up_steps_per_core_second"], _ = training_rate(name, table, batch_size, warming)
        options = {**options, "warm_up_steps": 1}
    speed["steps_per_core_second"], run = training_rate(name, table, batch_size, options)
    sampler = run.sampler()
    sample_generator(sampler, label=0, count=BLOCK)
    started = time.process_time()
    sample_generator(sampler, label=0, count=BLOCK)
    return {**speed, "images_per_core_second": BLOCK / (time.process_time() - started)}


def steps_in(core_minutes: float, speed: dict[str, float]) -> int:
    """Steps in so many minutes of one core, rounded down to two digits, at least 100 after the warm-up."""
    warm_up = int(speed["warm_up_steps"])
    seconds = 60 * core_minutes
    if warm_up:
        seconds -= warm_up / speed["warm_up_steps_per_core_second"]
    steps = max(warm_up + int(seconds * speed["steps_per_core_second"]), warm_up + 100)
    unit = 10 ** max(len(str(steps)) - 2, 0)
    return steps // unit * unit


@dataclass(frozen=True)
class Study:
    """All that the generators of one comparison share.

    Attributes:
      key: of the task.
      task: data and judge.
      tables: real images by split.
      balanced: the whole training set, for the extractor.
      folder: keeps speeds on this machine, states and TensorBoard's files.
      records: keeps finished rows.
      settings: the command's arguments.
    """

    key: str
    task: Task
    tables: dict[str, ImageTable]
    balanced: ImageTable
    folder: Path
    records: Path
    settings: argparse.Namespace

    @property
    def options(self) -> dict[str, Any]:
        """Of the generator."""
        parsed: dict[str, Any] = json.loads(self.settings.options)
        return parsed

    def speed(self, name: str) -> dict[str, float]:
        """Measured once, then read."""
        return once(
            self.folder / f"{name}-speed.json",
            lambda: measure_speed(name, self.tables["train"], self.task.batch_size, self.options),
        )

    @cached_property
    def extractor(self) -> FeatureExtractor:
        """Judges the images of all generators."""
        return train_extractor(self.balanced, seed=0)

    def real_score(self) -> float:
        """The accuracy score of the real training images themselves."""
        train, test, judge = self.tables["train"], self.tables["test"], self.task.judge
        score: float = once(
            self.records / f"real-seed{self.settings.seed}.json",
            lambda: accuracy_score(train, test, judge, "on real images"),
        )
        return score

    def row(self, name: str) -> dict[str, Any]:
        """Trains, draws and judges one generator, once.

        Raises:
          SystemExit: if a row with other options is there.
        """
        row: dict[str, Any] = once(self._file(name), lambda: self._row(name))
        if row["options"] != self.options:
            raise SystemExit(f"{self._file(name)} was measured with other options: remove it to measure anew")
        return row

    def is_measured(self, name: str) -> bool:
        """Whether its row is finished."""
        return self._file(name).exists()

    def _file(self, name: str) -> Path:
        asked = self.settings
        budget = f"{asked.steps}-steps" if asked.steps else f"{asked.core_minutes:g}-core-minutes"
        return self.records / f"{name}-{budget}-seed{asked.seed}.json"

    def _row(self, name: str) -> dict[str, Any]:
        speed, settings = self.speed(name), self.settings
        steps = settings.steps or steps_in(settings.core_minutes, speed)
        run = train_generator(
            self.tables["train"],
            Generator(name=name, steps=steps, batch_size=self.task.batch_size, options=self.options),
            held_out=self.tables["validation"],
            seed=settings.seed,
            state_dir=self.folder / "state" / f"{name}-{steps}",
            log_dir=self.folder / "tensorboard" / name,
        )
        synthetic = draw(run.sampler(), self.tables["train"].class_names)
        save_grid(synthetic, f"{self.key}-{name}")
        score = accuracy_score(synthetic, self.tables["test"], self.task.judge, f"on {name} alone")
        return {
            "generator": name,
            "options": self.options,
            "seed": settings.seed,
            "core_minutes": settings.core_minutes,
            "steps": steps,
            "kept_step": steps if run.assessment is None else run.assessment.kept_step,
            **speed,
            **likeness(self.extractor, self.tables["test"], synthetic),
            "accuracy_score": score,
            "findings": [] if run.assessment is None else list(run.assessment.findings),
            "date": datetime.date.today().isoformat(),
        }

    def rows(self) -> list[dict[str, Any]]:
        """All that are finished with this budget and seed."""
        files = [self._file(name) for name in registry.names("models.generators")]
        return [json.loads(file.read_text()) for file in files if file.exists()]


def page_of(key: str, rows: list[dict[str, Any]], real_score: float, core_minutes: float) -> str:
    """The rows as Markdown, the best accuracy score first, what was found, and pictures."""
    last = max(row["date"] for row in rows)
    where = "" if TASKS[key].file is None else " --data FOLDER"
    made = (
        f"{TASKS[key].says}, by `python -m benchmarks.generators {key}{where} --core-minutes {core_minutes:g}` (so "
        f"long of one core for each training), seed {rows[0]['seed']}, on {machine()}, {last}."
    )
    real = f"A classifier trained on the same real images, every class alike often, scores {real_score:.1%}."
    measured = ("steps", "steps a core-s", "drawn a core-s", "FID-style", "density", "coverage", "accuracy score")
    titles = ("generator", *measured)
    lines = [f"{made} {real}", "", f"| {' | '.join(titles)} |", f"|---|{'---:|' * (len(titles) - 1)}"]
    rows = sorted(rows, key=lambda row: -row["accuracy_score"])
    for row in rows:
        cells = (
            f"`{row['generator']}`" + "".join(f" {name}: {value}" for name, value in row["options"].items()),
            f"{row['steps']:,}",
            f"{row['steps_per_core_second']:.1f}",
            f"{row['images_per_core_second']:.0f}",
            f"{row['fid']:.1f}",
            f"{row['density']:.2f}",
            f"{row['coverage']:.2f}",
            f"{row['accuracy_score']:.1%}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    found = [f"- `{row['generator']}`: {finding}." for row in rows for finding in row["findings"]]
    if found:
        lines += ["", "What the monitor said:", "", *found]
    lines += ["", "Eight images of each class, in the table's order:", ""]
    lines += [f"![{row['generator']}](images/generators-{key}-{row['generator']}.png)" for row in rows]
    return "\n".join(lines)


def arguments_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--core-minutes", type=float, default=4.0, help="of training, for each generator")
    parser.add_argument("--speed-only", action="store_true", help="measure how fast they train, and stop")
    parser.add_argument("--steps", type=int, help="of training, instead of --core-minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="these generators")
    parser.add_argument("--options", default="{}", help="JSON, for --only with one name")
    return parser.parse_args()


def open_study(settings: argparse.Namespace) -> Study:
    """Reads the data of the task, thinned and whole."""
    key, task = settings.task, TASKS[settings.task]
    data = dict(task.data)
    if task.file is not None:
        if settings.data is None or not (settings.data / task.file).exists():
            raise SystemExit(f"{key} needs --data FOLDER with {task.file} in it")
        data["path"] = str(settings.data / task.file)
    folder, config = RUNS / key, Data(**data)
    whole = config.model_copy(update={"profile": None})
    return Study(
        key=key,
        task=task,
        tables=real_tables(config, folder / "data", seed=settings.seed),
        balanced=real_tables(whole, folder / "balanced", seed=settings.seed)["train"],
        folder=folder,
        records=RECORDS / "generators" / key,
        settings=settings,
    )


def main() -> None:
    settings = arguments_of()
    study = open_study(settings)
    # `spade` needs hands with key points, `folder` the user's own images.
    names = settings.only or [name for name in registry.names("models.generators") if name not in ("folder", "spade")]
    console = Console()
    with Bar(console=console) as bar:
        line = bar.add_task("", total=None)

        def show(report: progress.Progress) -> None:
            bar.update(line, description=report.task, completed=report.done, total=report.total)

        with progress.listen(show):
            # All speeds first, in one go, so that every generator meets the same quiet or busy machine.
            for name in names:
                if settings.speed_only or not study.is_measured(name):
                    console.print(name, study.speed(name))
            if settings.speed_only:
                return
            real_score = study.real_score()
            for name in names:
                console.print(study.row(name))
    rows = study.rows()
    write_section(PAGE, f"Measured: {study.key}", page_of(study.key, rows, real_score, rows[0]["core_minutes"]))


if __name__ == "__main__":
    main()
