"""Plain functions of `evaluation` as one TFMA metric, so that `tfma.load_eval_result` shows the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from evenhand.components.metric_rows import MetricRows
from evenhand.evaluation.calibration import BINS
from evenhand.evaluation.confusion import measure_confusion
from evenhand.evaluation.uncertainty import MEASURES

OF_CONFUSION = ("macro_f1", "weighted_f1", "geometric_mean", "matthews", "worst_class_recall")
NAMES = (*OF_CONFUSION, "calibration_error", *MEASURES)
"""The numbers that stand in each slice; in a slice of one class the last four are that class's uncertainty."""

OF_CLASS = ("recall", "precision", "f1", "specificity")
"""What stands under TFMA's class id in slices of several classes: of one class alone these would say nothing."""


@dataclass
class Tally:
    """What a slice's images add up to.

    Attributes:
      confusion: float64[c, c], images by true and predicted class.
      sure: float64[3, BINS], images, confidence and right ones in each bin of the predicted class's probability.
      unsure: float64[4], the four measures of uncertainty.
    """

    confusion: NDArray[np.float64]
    sure: NDArray[np.float64]
    unsure: NDArray[np.float64]

    @classmethod
    def empty(cls, num_classes: int) -> Tally:
        """Of no image."""
        return cls(np.zeros((num_classes, num_classes)), np.zeros((3, BINS)), np.zeros(len(MEASURES)))

    def add_image(self, label: int, p: NDArray[np.float64], weight: float) -> None:
        """Adds an image of class `label` with probabilities float64[c]."""
        called, most = int(p.argmax()), float(p.max())
        self.confusion[label, called] += weight
        place = min(max(int(np.ceil(most * BINS)) - 1, 0), BINS - 1)
        self.sure[:, place] += weight * np.array([1.0, most, float(called == label)])
        self.unsure += weight * np.array([measure(p[None] / p.sum())[0] for measure in MEASURES.values()])

    def add(self, other: Tally) -> None:
        """Adds other images."""
        self.confusion += other.confusion
        self.sure += other.sure
        self.unsure += other.unsure

    def class_scores(self) -> Iterator[tuple[str, int, float]]:
        """Name of `OF_CLASS`, class and value, where images are of several classes; NaN for what has no meaning."""
        if np.count_nonzero(self.confusion.sum(axis=1)) < 2:
            return
        measures = measure_confusion(self.confusion)
        for name in OF_CLASS:
            for label, value in enumerate(getattr(measures, name)):
                yield name, label, float(value)

    def scores(self) -> dict[str, float]:
        """By `NAMES`."""
        measures = measure_confusion(self.confusion)
        images = self.sure[0].sum()
        return {
            **{name: float(getattr(measures, name)) for name in OF_CONFUSION},
            "calibration_error": float(np.abs(self.sure[1] - self.sure[2]).sum() / images),
            **{name: float(total / images) for name, total in zip(MEASURES, self.unsure, strict=True)},
        }


class PlainScores(metric_types.Metric):
    """Macro and weighted F1, G-mean, Matthews, worst-class recall, calibration error and uncertainty of each slice."""

    def __init__(self, name: str = "plain_scores") -> None:
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


def _computations(
    name: str = "plain_scores",
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
    **_: Any,
) -> list[metric_types.MetricComputation]:
    del name  # each number stands under its own
    keys = {
        score: metric_types.MetricKey(
            name=score, model_name=model_name, output_name=output_name, example_weighted=example_weighted
        )
        for score in NAMES
    }
    combiner = _AddUp(keys, MetricRows(eval_config, model_name, output_name))
    return [metric_types.MetricComputation(keys=list(keys.values()), preprocessors=None, combiner=combiner)]


class _AddUp(beam.CombineFn):
    def __init__(self, keys: dict[str, metric_types.MetricKey], rows: MetricRows) -> None:
        self._keys, self._rows = keys, rows

    def create_accumulator(self) -> list[Tally]:
        # Empty until an image tells how many classes there are.
        return []

    def add_input(self, accumulator: list[Tally], element: metric_types.StandardMetricInputs) -> list[Tally]:
        for label, p, weight in self._rows.of(element):
            if not accumulator:
                accumulator.append(Tally.empty(len(p)))
            accumulator[0].add_image(label, p, weight)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[Tally]]) -> list[Tally]:
        merged: list[Tally] = []
        for tally in (tally for accumulator in accumulators for tally in accumulator):
            if not merged:
                merged.append(Tally.empty(len(tally.confusion)))
            merged[0].add(tally)
        return merged

    def extract_output(self, accumulator: list[Tally]) -> dict[metric_types.MetricKey, float]:
        if not accumulator:
            return dict.fromkeys(self._keys.values(), float("nan"))
        [tally] = accumulator
        scores = tally.scores()
        values = {key: scores[name] for name, key in self._keys.items()}
        # Only the images tell how many classes there are, so these keys could not be declared.
        of_all = next(iter(self._keys.values()))
        for name, label, value in tally.class_scores():
            values[of_all._replace(name=name, sub_key=metric_types.SubKey(class_id=label))] = value
        return values


metric_types.register_metric(PlainScores)
