"""S1's open question: does ReACGAN's loss help a generator that draws from poses? `spade` with hinge and with D2D-CE.

    python -m benchmarks.spade_losses --data FOLDER --hand-model FILE     # FOLDER holds sign_language_digits

All arms get the same steps on the same real images, with the key points that MediaPipe's hand landmarker finds, and the
same three seeds. D2D-CE comes with a judge of its own, so the arm to hold it against has that judge and gives the loss
no weight; SPADE's hinge with patch judges alone stands beside them. Each generator then draws 1000 images of each class
from poses of its training images; they are judged as in `benchmarks.generators`, by a distance on features of a network
trained on the real images and by what a classifier learns from them alone. An interrupted study goes on where it was;
finished rows are kept in benchmarks/records/spade_losses.
"""

from __future__ import annotations

import argparse
import datetime
import os
import statistics
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console

from benchmarks.judging import JUDGE, accuracy_score, draw, likeness, save_grid
from benchmarks.pages import DOCS, RECORDS, machine, once, write_section
from benchmarks.real_tables import real_tables
from evenhand.config import Data, Generator
from evenhand.data.image_table import ImageTable
from evenhand.models.extractors.cnn import train_extractor
from evenhand.models.feature_extractor import FeatureExtractor
from evenhand.models.train_generator import train_generator

RUNS = Path("runs", "spade_losses")
ROWS = RECORDS / "spade_losses"
ARMS: dict[str, dict[str, Any]] = {
    "hinge": {"discriminator_loss": "hinge"},
    "hinge, same judges": {"discriminator_loss": "d2d_ce", "d2d_weight": 0.0},
    "d2d_ce": {"discriminator_loss": "d2d_ce"},
}
SEEDS = (0, 1, 2)
BATCH_SIZE = 16
MEASURES = ("fid", "density", "coverage", "accuracy_score")


def row(tables: dict[str, ImageTable], extractor: FeatureExtractor, arm: str, seed: int, steps: int) -> dict[str, Any]:
    """Trains, draws and judges one generator."""
    name = f"{_file_name(arm)}-{seed}-{steps}"
    config = Generator(name="spade", steps=steps, batch_size=BATCH_SIZE, options=ARMS[arm])
    started = time.monotonic()
    run = train_generator(
        tables["train"],
        config,
        held_out=tables["validation"],
        seed=seed,
        state_dir=RUNS / "state" / name,
        log_dir=RUNS / "tensorboard" / name,
    )
    minutes = (time.monotonic() - started) / 60
    synthetic = draw(run.sampler(), tables["train"].class_names)
    if seed == SEEDS[0]:
        save_grid(synthetic, f"sign-language-digits-spade-{_file_name(arm)}")
    return {
        "arm": arm,
        "seed": seed,
        "steps": steps,
        "minutes": minutes,
        **likeness(extractor, tables["test"], synthetic),
        "accuracy_score": accuracy_score(synthetic, tables["test"], JUDGE, f"on spade's images ({arm}, {seed})"),
        "date": datetime.date.today().isoformat(),
    }


def _file_name(arm: str) -> str:
    return arm.replace(", ", "-").replace(" ", "-")


def table_of(rows: list[dict[str, Any]], real_score: float) -> str:
    """The means over seeds and each seed, as Markdown."""
    last = max(row["date"] for row in rows)
    lines = [
        "`spade` on Sign Language Digits (32 pixels, colour, not thinned, balanced batches) with MediaPipe's key "
        f"points; {rows[0]['steps']:,} steps of {BATCH_SIZE} for every arm, seeds {', '.join(map(str, SEEDS))}, by "
        f"`python -m benchmarks.spade_losses --data FOLDER --hand-model FILE --steps {rows[0]['steps']}` "
        f"on {machine()}, {last}. A classifier "
        f"trained on the real images scores {real_score:.1%}. Means, and each seed in brackets.",
        "",
        "| judges' loss | FID-style | density | coverage | accuracy score |",
        "|---|---:|---:|---:|---:|",
    ]
    for arm in ARMS:
        cells = []
        for measure in MEASURES:
            values = [row[measure] for row in rows if row["arm"] == arm]
            form = "{:.1%}" if measure == "accuracy_score" else "{:.2f}"
            seeds = ", ".join(form.format(value) for value in values)
            cells.append(f"{form.format(statistics.mean(values))} ({seeds})")
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    changes = [
        f"{100 * (_score(rows, 'd2d_ce', seed) - _score(rows, 'hinge, same judges', seed)):+.1f}" for seed in SEEDS
    ]
    told = "D2D-CE against the same judges without its loss, in points of accuracy score"
    lines += ["", f"{told}: {', '.join(changes)}."]
    pictures = " ".join(f"![{arm}](images/generators-sign-language-digits-spade-{_file_name(arm)}.png)" for arm in ARMS)
    shown = f"Eight images of each class, seed {SEEDS[0]}, in the table's order:"
    return "\n".join([*lines, "", shown, "", pictures])


def _score(rows: list[dict[str, Any]], arm: str, seed: int) -> float:
    [score] = [row["accuracy_score"] for row in rows if (row["arm"], row["seed"]) == (arm, seed)]
    return float(score)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--hand-model", type=Path, required=True, help="MediaPipe's hand_landmarker.task")
    parser.add_argument("--steps", type=int, default=1000)
    arguments = parser.parse_args()
    data = Data(
        source="folder",
        path=str(arguments.data / "sign_language_digits"),
        image_size=32,
        keypoints={"model": str(arguments.hand_model)},
    )
    tables = real_tables(data, RUNS / "data")
    console = Console()
    real_score = once(
        ROWS / "real.json", lambda: accuracy_score(tables["train"], tables["test"], JUDGE, "on real images")
    )
    extractor = train_extractor(tables["train"], seed=0)
    rows = []
    for seed in SEEDS:
        for arm in ARMS:
            file = ROWS / f"{_file_name(arm)}-{seed}-{arguments.steps}.json"
            rows.append(once(file, lambda arm=arm, seed=seed: row(tables, extractor, arm, seed, arguments.steps)))
            console.print(rows[-1])
    write_section(DOCS / "generators.md", "Measured: spade's judges", table_of(rows, real_score))


if __name__ == "__main__":
    main()
