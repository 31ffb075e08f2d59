"""How often are verdicts wrong, and how often do they see what is there? Same arm against itself, and a planted gain.

    python -m benchmarks.verdicts [--models 30] [--trials 2000]

Trains small CNNs on a long tail of digits that differ in nothing but their seed, keeps their predictions below
`runs/verdicts`, and draws verdicts from them: seeds without replacement for either side, test images with replacement
within each class. The demo's tail ends at 3 training images, so that seeds differ much; on the milder one they differ
less. Without a planted gain every `helped` is a false alarm. The gain turns wrong predictions of the strategy right, on
the same images for all its seeds, until balanced accuracy is 3 points higher.

An interrupted study goes on; delete `rates-*.json` in `runs/verdicts` where the tests themselves have changed. Writes
the rates to docs/statistics.md. `evenhand.report.verdict.FALSE_ALARMS` tells them to users.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import math
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy import stats

from benchmarks.pages import DOCS, machine, once, write_section
from benchmarks.real_tables import real_tables
from evenhand.config import Classifier, Data, Training
from evenhand.evaluation.comparison import compare
from evenhand.models.phase import Phase
from evenhand.models.train_classifier import ClassifierTraining, train_classifier

RUNS = Path("runs", "verdicts")
PAGE = DOCS / "statistics.md"
TITLE = "Measured: verdicts"
RATIOS = (0.65, 0.8)
"""Of the training images of one class to those of the one before; the first is the demo's."""
TRAINING = ClassifierTraining(
    classifier=Classifier(name="cnn"), training=Training(steps=300, batch_size=32, augmentation=None)
)
CASES = (
    (5, 450, 0.0),
    (5, 10_000, 0.0),
    (5, 10_000, 0.03),
    (7, 10_000, 0.03),
    (1, 450, 0.0),
    (1, 10_000, 0.0),
)
"""Repeats, test images and planted gain in balanced accuracy."""


def predictions(ratio: float, num_models: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """int64[n], labels of the test images, and int64[models, n], what each model calls them."""
    folder = RUNS / f"ratio-{ratio}"
    data = Data.model_validate(
        {"source": "digits", "image_size": 8, "profile": {"kind": "geometric", "ratio": ratio, "largest": 100}}
    )
    tables = real_tables(data, folder / "digits")
    rows = []
    for seed in range(num_models):
        file = folder / f"seed-{seed}.npy"
        if not file.exists():
            run = train_classifier(
                tables["train"],
                Phase(on="real"),
                TRAINING,
                steps=TRAINING.training.steps,
                seed=seed,
                task=f"ratio {ratio}, seed {seed}",
            )
            called = run.predict(tables["test"]).argmax(axis=1)
            partial = file.with_suffix(".partial.npy")
            np.save(partial, called)
            partial.replace(file)
        rows.append(np.load(file))
    return np.asarray(tables["test"].labels, np.int64), np.stack(rows)


def drawn_images(rng: np.random.Generator, labels: NDArray[np.int64], num_images: int) -> NDArray[np.int64]:
    """int64[about num_images], rows drawn with replacement within each class, in the classes' own shares."""
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.concatenate([rng.choice(rows, round(num_images * len(rows) / len(labels))) for rows in members])


def plant(
    rng: np.random.Generator, labels: NDArray[np.int64], called: NDArray[np.int64], share: float
) -> NDArray[np.int64]:
    """Turns the wrong answers to a share of the images right."""
    return np.where((called != labels) & (rng.random(len(labels)) < share), labels, called)


def rates(
    labels: NDArray[np.int64],
    called: NDArray[np.int64],
    *,
    repeats: int,
    num_images: int,
    gain: float,
    trials: int,
) -> dict[str, Any]:
    """Shares of verdicts, and of intervals that hold the planted gain."""
    names = [str(k) for k in range(int(labels.max()) + 1)]
    # Of the images that the average model gets wrong, as many must be mended as make up the gain.
    mended = gain / np.mean(np.bincount(labels, (called != labels).mean(axis=0)) / np.bincount(labels))
    said, held, classes = {"helped": 0, "hurt": 0, "no evidence": 0}, 0, 0
    for trial in track(range(trials), description=f"repeats {repeats}, {num_images} images, gain {gain}"):
        rng = np.random.default_rng([trial, repeats, num_images])
        seeds = rng.choice(len(called), 2 * repeats, replace=False)
        rows = drawn_images(rng, labels, num_images)
        strategy, reference = called[seeds[:repeats]][:, rows], called[seeds[repeats:]][:, rows]
        if gain:
            strategy = plant(rng, labels[rows], strategy, mended)
        found = compare(labels[rows], strategy, reference, names, num_resamples=1000)
        said[found.verdict] += 1
        held += found.low <= gain <= found.high
        classes += any(change.verdict == "helped" for change in found.per_class)
    return {
        "repeats": repeats,
        "images": num_images,
        "gain": gain,
        **{verdict: count / trials for verdict, count in said.items()},
        "held": held / trials,
        "any class helped": classes / trials,
    }


def power(gain: float, deviation: float, repeats: int, level: float = 0.05) -> float:
    """How often Student's t test of two samples finds a gain in scores that differ by seed alone, images unlimited.

    Args:
      gain: the true one.
      deviation: standard deviation between seeds, in the unit of the gain.
      repeats: seeds of either side.
      level: of the two-sided test.
    """
    freedom, distance = 2 * (repeats - 1), gain / (deviation * math.sqrt(2 / repeats))
    return float(stats.nct.sf(stats.t.isf(level / 2, freedom), freedom, distance))


def section(ratio: float, num_models: int, trials: int) -> str:
    """The rates of one tail as Markdown; those that were measured before are read."""
    labels, called = predictions(ratio, num_models)
    support = np.bincount(labels)
    recalls = np.stack([np.bincount(labels[row == labels], minlength=len(support)) for row in called]) / support
    balanced = recalls.mean(axis=1)
    lines = [
        f"**Each class {ratio:g} times as many training images as the one before, from 100:** {num_models} models, "
        f"balanced accuracy {balanced.mean():.1%}, standard deviation between seeds {100 * balanced.std(ddof=1):.1f} "
        "points.",
        "",
        "| repeats | test images | gain | `helped` | `hurt` | interval holds it | any class `helped` | verdicts |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for repeats, images, gain in CASES:
        row = once(
            RUNS / f"ratio-{ratio}" / f"rates-{repeats}-{images}-{gain}-{num_models}-{trials}.json",
            functools.partial(rates, labels, called, repeats=repeats, num_images=images, gain=gain, trials=trials),
        )
        lines.append(
            f"| {repeats} | {images:,} | {100 * gain:g} points | {row['helped']:.1%} | {row['hurt']:.1%} "
            f"| {row['held']:.1%} | {row['any class helped']:.1%} | {trials} |"
        )
    wanted = sorted({(repeats, gain) for repeats, _, gain in CASES if gain})
    most = ", ".join(
        f"{100 * gain:g} points in {power(gain, float(balanced.std(ddof=1)), repeats):.0%} with {repeats} seeds"
        for repeats, gain in wanted
    )
    return "\n".join([*lines, "", f"Student's t test of scores that differ so much between seeds finds {most}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, default=30)
    parser.add_argument("--trials", type=int, default=2000)
    arguments = parser.parse_args()
    parts = [section(ratio, arguments.models, arguments.trials) for ratio in RATIOS]
    how = (
        f"`python -m benchmarks.verdicts --models {arguments.models}` trains small CNNs on digits that differ in "
        "nothing but their seed and draws verdicts from their predictions, "
        f"on {machine()}, {datetime.date.today().isoformat()}."
    )
    write_section(PAGE, TITLE, "\n\n".join([how, *parts]))


if __name__ == "__main__":
    main()
