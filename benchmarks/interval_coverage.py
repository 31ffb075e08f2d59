"""How often do the intervals of one class hold the truth, on 3 to 100 of its images?

    python -m benchmarks.interval_coverage [--trials 400]

A large population of predictions stands for the truth: scores of six classes, normal around their own. Of one class
few images are drawn, of the others 100 each, again and again, at three levels of difficulty. For a change, a second
classifier answers the same images, with one seed and with five. Writes the shares of intervals that hold the truth, the
mean and the worst over the difficulties, to docs/statistics.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import average_precision_score

from benchmarks.pages import DOCS, write_section
from evenhand.evaluation.bootstrap import average_precision_interval, confusion_intervals
from evenhand.evaluation.change_interval import image_interval, over_seeds
from evenhand.evaluation.confusion import confusion_matrix, measure_confusion
from evenhand.evaluation.intervals import wilson

PAGE = DOCS / "statistics.md"
TITLE = "Measured: coverage per class"
SIZES = (3, 5, 10, 20, 30, 100)
CLASSES, OTHERS = 6, 100
SHARPNESS = (1.2, 2.0, 3.2)
"""Distance of a class's mean score from the others', in standard deviations: about 51%, 74% and 96% recognised."""
SPREAD = 0.15
"""Standard deviation between seeds of that distance."""
GAIN = 0.3
"""By which the second classifier's distance is larger."""
POPULATION = 200_000
MEASURES = ("recall", "precision", "F1", "specificity", "average precision", "change, 1 seed", "change, 5 seeds")

Interval = tuple[float, float]


@dataclass(frozen=True)
class World:
    """A classifier of known quality.

    Attributes:
      sharpness: of the average seed.
    """

    sharpness: float

    def images(self, rng: np.random.Generator, counts: list[int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """int64[n], labels, and float64[n, c], scores without the class's own."""
        labels = np.repeat(np.arange(CLASSES), counts)
        return labels, rng.normal(size=(len(labels), CLASSES))

    def truth(self, num_images: int) -> dict[str, float]:
        """Each measure where the first class makes up the share that `num_images` has among the test images."""
        rng = np.random.default_rng(1)
        labels, scores = self.images(rng, [POPULATION] * CLASSES)
        scores[np.arange(len(labels)), labels] += self.sharpness
        weights = np.array([num_images, *[OTHERS] * (CLASSES - 1)]) / POPULATION
        found = measure_confusion(confusion_matrix(labels, scores.argmax(axis=1), CLASSES) * weights[:, None])
        return {
            "recall": float(found.recall[0]),
            "precision": float(found.precision[0]),
            "F1": float(found.f1[0]),
            "specificity": float(found.specificity[0]),
            "average precision": float(
                average_precision_score(labels == 0, scores[:, 0], sample_weight=weights[labels])
            ),
            "change, 1 seed": self.change(0.0),
            "change, 5 seeds": self.change(SPREAD),
        }

    def change(self, spread: float) -> float:
        """True gain in recall of the second classifier, over images and seeds."""
        rng = np.random.default_rng(2)
        rivals = rng.normal(size=(POPULATION, CLASSES - 1)).max(axis=1)
        own = rng.normal(size=POPULATION) + self.sharpness + rng.normal(0, spread, POPULATION)
        return float((own + GAIN > rivals).mean() - (own > rivals).mean())

    def intervals(self, num_images: int, trial: int) -> Iterator[tuple[str, Interval]]:
        """Those of one drawn test set, by measure."""
        rng = np.random.default_rng([trial, num_images])
        labels, scores = self.images(rng, [num_images, *[OTHERS] * (CLASSES - 1)])
        scores[np.arange(len(labels)), labels] += self.sharpness
        matrix = confusion_matrix(labels, scores.argmax(axis=1), CLASSES)
        others = int(matrix[1:].sum())
        yield "recall", wilson(int(matrix[0, 0]), num_images)
        yield "specificity", wilson(others - int(matrix[1:, 0].sum()), others)
        drawn = confusion_intervals(matrix, seed=trial)
        yield "precision", (float(drawn["precision"].low[0]), float(drawn["precision"].high[0]))
        yield "F1", (float(drawn["f1"].low[0]), float(drawn["f1"].high[0]))
        yield "average precision", average_precision_interval(labels == 0, scores[:, 0], seed=trial)
        a, b = self.right(rng, num_images, 1, 0.0)
        yield "change, 1 seed", image_interval(a, b, 0.95)
        a, b = self.right(rng, num_images, 5, SPREAD)
        yield "change, 5 seeds", over_seeds([a], [b], np.ones(1)).interval()

    def right(
        self, rng: np.random.Generator, num_images: int, seeds: int, spread: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """bool[seeds, images] of the second classifier and the first: half of the noise is the image's own."""
        ease = rng.normal(0, np.sqrt(0.5), num_images)
        own, rivals = self.sharpness + ease, rng.normal(size=(num_images, CLASSES - 1)).max(axis=1)
        first, second = (
            own + gain + rng.normal(0, np.sqrt(0.5), (seeds, num_images)) + rng.normal(0, spread, (seeds, 1)) > rivals
            for gain in (0.0, GAIN)
        )
        return second, first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=400)
    trials = parser.parse_args().trials
    lines = [
        f"`python -m benchmarks.interval_coverage --trials {trials}`: share of 95% intervals that hold the truth, mean "
        f"over three difficulties and in brackets the worst of them, {trials} draws each.",
        "",
        "| images of the class | " + " | ".join(MEASURES) + " |",
        "|---:|" + "---:|" * len(MEASURES),
    ]
    for num_images in SIZES:
        held = np.zeros((len(SHARPNESS), len(MEASURES)))
        for hits, sharpness in zip(held, SHARPNESS, strict=True):
            world = World(sharpness)
            truth = world.truth(num_images)
            for trial in track(range(trials), description=f"{num_images} images, sharpness {sharpness}"):
                for name, (low, high) in world.intervals(num_images, trial):
                    hits[MEASURES.index(name)] += low - 1e-12 <= truth[name] <= high + 1e-12
        cells = [f"{m:.1%} ({w:.1%})" for m, w in zip(held.mean(0) / trials, held.min(0) / trials, strict=True)]
        lines.append(f"| {num_images} | " + " | ".join(cells) + " |")
    write_section(PAGE, TITLE, "\n".join(lines))


if __name__ == "__main__":
    main()
