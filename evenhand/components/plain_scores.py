"""Plain functions of `evaluation` as one TFMA metric, so that `tfma.load_eval_result` shows the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from evenhand.components.metric_rows import MetricRows
from evenhand.evaluation.calibration import class_reliability_curve, expected_calibration_error
from evenhand.evaluation.confusion import ConfusionMeasures, confusion_matrix, measure_confusion
from evenhand.evaluation.uncertainty import MEASURES, mean_uncertainty

OF_CONFUSION = ("macro_f1", "weighted_f1", "geometric_mean", "matthews", "worst_class_recall")
NAMES = (*OF_CONFUSION, "calibration_error", *MEASURES)
"""The numbers that stand in each slice; in a slice of one class the last four are that class's uncertainty."""

OF_CONFUSION_OF_CLASS = ("recall", "precision", "f1", "specificity")
OF_CLASS = (*OF_CONFUSION_OF_CLASS, "average_precision", "calibration_error")
"""What stands under TFMA's class id in slices of several classes: of one class alone these would say nothing."""


@dataclass
class Predictions:
    """The images of a slice.

    They are kept one by one, 4 c bytes each, as the rank of an image among all others makes the average precision.

    Attributes:
      labels: true class of each.
      probabilities: float32[c] of each.
    """

    labels: list[int] = field(default_factory=list)
    probabilities: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, other: Predictions) -> None:
        """Adds other images."""
        self.labels += other.labels
        self.probabilities += other.probabilities

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Labels int64[n] and probabilities float32[n, c] of at least one image."""
        return np.asarray(self.labels, np.int64), np.stack(self.probabilities)


def _scores(labels: NDArray[np.int64], p: NDArray[np.float32], measures: ConfusionMeasures) -> dict[str, float]:
    """By `NAMES`."""
    return {
        **{name: float(getattr(measures, name)) for name in OF_CONFUSION},
        "calibration_error": expected_calibration_error(labels, p),
        **mean_uncertainty(p),
    }


def _class_scores(
    labels: NDArray[np.int64], p: NDArray[np.float32], measures: ConfusionMeasures
) -> Iterator[tuple[str, int, float]]:
    """Name of `OF_CLASS`, class and value, where images are of several classes; NaN for what has no meaning."""
    if len(np.unique(labels)) < 2:
        return
    for label in range(p.shape[1]):
        is_class = labels == label
        for name in OF_CONFUSION_OF_CLASS:
            yield name, label, float(getattr(measures, name)[label])
        ranked = average_precision_score(is_class, p[:, label]) if is_class.any() else np.nan
        yield "average_precision", label, float(ranked)
        yield "calibration_error", label, class_reliability_curve(labels, p, label).error


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
    combiner = _Gather(keys, MetricRows(eval_config, model_name, output_name))
    return [metric_types.MetricComputation(keys=list(keys.values()), preprocessors=None, combiner=combiner)]


class _Gather(beam.CombineFn):
    def __init__(self, keys: dict[str, metric_types.MetricKey], rows: MetricRows) -> None:
        self._keys, self._rows = keys, rows

    def create_accumulator(self) -> Predictions:
        return Predictions()

    def add_input(self, accumulator: Predictions, element: metric_types.StandardMetricInputs) -> Predictions:
        for label, p in self._rows.of(element):
            accumulator.labels.append(label)
            accumulator.probabilities.append(p)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Predictions]) -> Predictions:
        merged = Predictions()
        for predictions in accumulators:
            merged.add(predictions)
        return merged

    def extract_output(self, accumulator: Predictions) -> dict[metric_types.MetricKey, float]:
        if not accumulator.labels:
            return dict.fromkeys(self._keys.values(), float("nan"))
        labels, p = accumulator.arrays()
        measures = measure_confusion(confusion_matrix(labels, p.argmax(axis=1), p.shape[1]))
        scores = _scores(labels, p, measures)
        values = {key: scores[name] for name, key in self._keys.items()}
        # Only the images tell how many classes there are, so these keys could not be declared.
        of_all = next(iter(self._keys.values()))
        for name, label, value in _class_scores(labels, p, measures):
            values[of_all._replace(name=name, sub_key=metric_types.SubKey(class_id=label))] = value
        return values


metric_types.register_metric(PlainScores)
