"""Balanced accuracy as a TFMA metric: the mean recall of the classes present in a slice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from evenhand.components.metric_rows import MetricRows

NAME = "balanced_accuracy"

# Per class: images seen and images recognised.
Tally = dict[int, tuple[int, int]]


class BalancedAccuracy(metric_types.Metric):
    """Mean over classes of recall, as `sklearn.metrics.balanced_accuracy_score` defines it."""

    def __init__(self, name: str = NAME) -> None:
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


def _computations(
    name: str = NAME,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    sub_key: metric_types.SubKey | None = None,
    example_weighted: bool = False,
    **_: Any,
) -> list[metric_types.MetricComputation]:
    key = metric_types.MetricKey(
        name=name,
        model_name=model_name,
        output_name=output_name,
        sub_key=sub_key,
        example_weighted=example_weighted,
    )
    combiner = _TallyRecalls(key, MetricRows(eval_config, model_name, output_name))
    return [metric_types.MetricComputation(keys=[key], preprocessors=None, combiner=combiner)]


class _TallyRecalls(beam.CombineFn):
    def __init__(self, key: metric_types.MetricKey, rows: MetricRows) -> None:
        self._key, self._rows = key, rows

    def create_accumulator(self) -> Tally:
        return {}

    def add_input(self, accumulator: Tally, element: metric_types.StandardMetricInputs) -> Tally:
        for label, p in self._rows.of(element):
            seen, recognised = accumulator.get(label, (0, 0))
            accumulator[label] = (seen + 1, recognised + (int(p.argmax()) == label))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Tally]) -> Tally:
        merged: Tally = {}
        for accumulator in accumulators:
            for label, (seen, recognised) in accumulator.items():
                old_seen, old_recognised = merged.get(label, (0, 0))
                merged[label] = (old_seen + seen, old_recognised + recognised)
        return merged

    def extract_output(self, accumulator: Tally) -> dict[metric_types.MetricKey, float]:
        recalls = [recognised / seen for seen, recognised in accumulator.values()]
        return {self._key: float(np.mean(recalls)) if recalls else float("nan")}


metric_types.register_metric(BalancedAccuracy)
