"""How often do the intervals of changes over all classes (macro F1 and its like) hold the truth?

    python -m benchmarks.measure_coverage [--trials 300]

Two classifiers of known quality, of which the second is worse at the rare classes, answer the same images: most of what
makes an image hard is the image's own, and each seed is a little better or worse at all. A large population of images
and many seeds stand for the truth. Writes the shares of intervals that hold it to docs/statistics.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from benchmarks.pages import DOCS, write_section
from evenhand.evaluation.comparison import MINIMUM_TEST_IMAGES
from evenhand.evaluation.confusion import confusion_matrix, measure_confusion
from evenhand.evaluation.measure_changes import MEASURES, measure_changes

PAGE = DOCS / "statistics.md"
TITLE = "Measured: coverage of changes over all classes"
SIZES = ((5,) * 6, (100, 50, 30, 10, 10, 3), (100,) * 6)
SEEDS = (1, 3, 5)
SPREAD = 0.02
"""Standard deviation between seeds of the recall of all classes, where there are several."""
OWN = 0.7
"""Share of an image's hardness that every model agrees on."""
POPULATION, POPULATION_SEEDS = 24_000, 40
RESAMPLES = 300
RECALLS = np.linspace([0.95, 0.95], [0.6, 0.5], 6, axis=1)
"""float64[2, c], of either side."""


@dataclass(frozen=True)
class World:
    """Test sets of given sizes.

    Attributes:
      sizes: images of each class.
      spread: standard deviation between seeds.
    """

    sizes: tuple[int, ...]
    spread: float

    def answers(self, rng: np.random.Generator, labels: NDArray[np.int64], num_seeds: int) -> NDArray[np.int64]:
        """int64[2, seeds, n], answers of either side."""
        hard = rng.random(len(labels))
        mixed = OWN * hard + (1 - OWN) * rng.random((2, num_seeds, len(labels)))
        luck = rng.normal(0, self.spread, (2, num_seeds, 1))
        mistake = (labels + 1 + (hard * 7).astype(np.int64) % 5) % 6
        return np.where(_uniform(mixed) < RECALLS[:, None, labels] + luck, labels, mistake)

    def truth(self) -> NDArray[np.float64]:
        """float64[measures], the change over images and seeds."""
        rng = np.random.default_rng(1)
        labels = np.repeat(np.arange(6), np.array(self.sizes) * (POPULATION // sum(self.sizes)))
        sides = self.answers(rng, labels, POPULATION_SEEDS if self.spread else 4)
        found = measure_confusion([[confusion_matrix(labels, row, 6) for row in side] for side in sides])
        values = np.stack([getattr(found, name) for name in MEASURES])
        # Only classes that can be ranked stand for the worst; where there are none, all do.
        ranked = [k for k, size in enumerate(self.sizes) if size >= MINIMUM_TEST_IMAGES] or list(range(6))
        values[MEASURES.index("worst_class_recall")] = found.recall[..., ranked].min(axis=-1)
        change: NDArray[np.float64] = (values[:, 0] - values[:, 1]).mean(axis=1)
        return change

    def hits(self, truth: NDArray[np.float64], num_seeds: int, trial: int) -> NDArray[np.bool_]:
        """bool[measures], whether the intervals of one drawn test set hold the truth."""
        labels = np.repeat(np.arange(6), self.sizes)
        ours, theirs = self.answers(np.random.default_rng([2, trial]), labels, num_seeds)
        found = measure_changes(labels, ours, theirs, 6, seed=trial, num_resamples=RESAMPLES)
        return np.array(
            [found[name].low <= value <= found[name].high for name, value in zip(MEASURES, truth, strict=True)]
        )


def _uniform(mixed: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank in [0, 1] of `OWN` U + (1 - `OWN`) V, both uniform: its distribution function, a trapezium's."""
    small, large = min(OWN, 1 - OWN), max(OWN, 1 - OWN)
    low, high = mixed**2 / (2 * small * large), 1 - (1 - mixed) ** 2 / (2 * small * large)
    return np.where(mixed < small, low, np.where(mixed < large, (mixed - small / 2) / large, high))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=300)
    trials = parser.parse_args().trials
    lines = [
        f"`python -m benchmarks.measure_coverage --trials {trials}`: share of 95% intervals that hold the true change, "
        f"{trials} draws each.",
        "",
        "| images of the classes | seeds | " + " | ".join(name.replace("_", " ") for name in MEASURES) + " |",
        "|---|---:|" + "---:|" * len(MEASURES),
    ]
    for sizes in SIZES:
        for num_seeds in SEEDS:
            world = World(sizes, SPREAD if num_seeds > 1 else 0.0)
            truth = world.truth()
            drawn = track(range(trials), description=f"{sizes}, {num_seeds} seeds")
            shares = np.mean([world.hits(truth, num_seeds, trial) for trial in drawn], axis=0)
            cells = " | ".join(f"{share:.1%}" for share in shares)
            lines.append(f"| {', '.join(map(str, sizes))} | {num_seeds} | {cells} |")
    write_section(PAGE, TITLE, "\n".join(lines))


if __name__ == "__main__":
    main()
