"""Whole runs whose truth is known: does the verdict see it, and does the audit catch a generator that copies?

    python -m benchmarks.planted_truths [--repeats 5]

The demo's long tail of digits with a small CNN and three generators of which the worth is known beforehand: one that
draws noise, one that draws its training images again, and an oracle, which gives the real images that the profile left
out. All three run into one folder, so that what trains on real images alone is trained once. An interrupted study goes
on (in `runs/planted`). Writes what was found to docs/statistics.md; tests/pipeline/test_planted_truths.py asserts it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.pages import DOCS, once, write_section
from evenhand.config import RunConfig
from evenhand.data.decode import to_pixels
from evenhand.data.export import export_images
from evenhand.data.image_set import SPLITS
from evenhand.data.prepare import prepare
from evenhand.report.result import Result
from evenhand.report.verdict import percent, points

ROOT = Path(__file__).parents[1]
RUNS = Path("runs", "planted")
PAGE = DOCS / "statistics.md"
TITLE = "Measured: planted truths"

Plant = Literal["noise", "copies", "oracle"]
PLANTS: dict[Plant, str] = {
    "noise": "noise",
    "copies": "its training images, moved by up to a pixel, with noise of 4 grey levels",
    "oracle": "real images that the run left out",
}
SIZE = 16
DATA = {
    "source": "digits",
    "image_size": SIZE,
    "channels": 1,
    "validate": False,
    "profile": {"kind": "geometric", "ratio": 0.65, "largest": 100},
}


@dataclass(frozen=True)
class PlantedRun:
    """What came of a run.

    Attributes:
      exit_code: of the command.
      said: what it wrote on standard error.
      result: as `result.json` held it.
    """

    exit_code: int
    said: str
    result: Result


def run_planted(plant: Plant, folder: Path, *, strategies: Sequence[str], repeats: int) -> PlantedRun:
    """Runs the command line on a planted generator.

    Args:
      plant: which one.
      folder: of this study; what an earlier run into it trained on real images is not trained again.
      strategies: that use synthetic images.
      repeats: seeds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if plant == "oracle" and not (folder / "unused").exists():
        export_images(unused_images(), [str(digit) for digit in range(10)], folder / "unused", "folder")
    config = folder / f"{plant}.yaml"
    config.write_text(yaml.safe_dump(_config(plant, folder.absolute(), strategies, repeats)))
    output = folder / "run"
    done = subprocess.run(
        [sys.executable, "-m", "evenhand.cli", "run", config.absolute(), "--output", output.absolute()],
        cwd=ROOT,  # where the plants are found by their dotted path
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    if done.returncode not in (0, 3):
        raise RuntimeError(f"evenhand ended with {done.returncode}: {done.stderr}")
    return PlantedRun(done.returncode, done.stderr, Result.load(output))


def unused_images() -> Iterator[tuple[NDArray[np.uint8], int, str]]:
    """The images that the profile takes away, in the size of the run."""
    preparation = prepare(RunConfig.model_validate({"data": DATA}).data, seed=0)
    images = preparation.image_set
    for row in np.flatnonzero(preparation.split == SPLITS.index("none")).tolist():
        yield to_pixels(images.read(row), SIZE, 1), int(images.labels[row]), images.identify(row)


def _config(plant: Plant, folder: Path, strategies: Sequence[str], repeats: int) -> dict[str, Any]:
    generators: dict[Plant, dict[str, Any]] = {
        "noise": {"name": "benchmarks.plants.noise"},
        "copies": {"name": "benchmarks.plants.copies"},
        "oracle": {"name": "folder", "options": {"path": str(folder / "unused")}},
    }
    return {
        "name": "planted",
        "data": DATA,
        "generator": generators[plant],
        "synthetic": {"per_class": "balance", "max_copy_share": 0.1},
        "classifier": {"name": "cnn"},
        "training": {"steps": 300, "batch_size": 32},
        "strategies": ["baseline", *strategies],
        "repeats": repeats,
    }


def rows(plant: Plant, folder: Path, strategies: Sequence[str], repeats: int) -> list[str]:
    """Lines of the table, one for each strategy."""
    run = run_planted(plant, folder, strategies=strategies, repeats=repeats)
    audit = run.result.audit
    assert audit is not None, "there are synthetic images"
    lines = []
    for found in run.result.comparison:
        if found.versus == "matched" and found.strategy in strategies:
            few = next(group for group in found.shot_groups if group.group == "few")
            lines.append(
                f"| {PLANTS[plant]} | {percent(audit.share)} | {run.exit_code} | {found.strategy} "
                f"| {points(found.balanced_accuracy_change)} ({points(found.low)} to {points(found.high)}) "
                f"| {points(few.change)} ({points(few.low)} to {points(few.high)}) | `{found.verdict}` |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--strategies", nargs="+", default=["combined", "pretrain_finetune"])
    arguments = parser.parse_args()
    found: list[str] = []
    for plant in PLANTS:
        name = "-".join([plant, *arguments.strategies, str(arguments.repeats)])
        found += once(
            RUNS / f"{name}.json", lambda plant=plant: rows(plant, RUNS, arguments.strategies, arguments.repeats)
        )
    text = [
        "`python -m benchmarks.planted_truths`: whole runs on the demo's long tail of digits with a small CNN and "
        f"{arguments.repeats} seeds, 300 gradient steps, against the matched arm; changes in points with their 95% "
        "intervals. With `synthetic.max_copy_share: 0.1` an exit code of 3 means that the audit failed the run.",
        "",
        "| what the generator draws | copies | exit code | strategy | balanced accuracy | classes of fewer than 20 "
        "images | verdict |",
        "|---|---:|---:|---|---:|---:|---|",
        *found,
    ]
    write_section(PAGE, TITLE, "\n".join(text))


if __name__ == "__main__":
    main()
