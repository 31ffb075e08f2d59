"""What TFX's standard Evaluator is asked: slices per split and class, and thresholds on validation only."""

from __future__ import annotations

from tensorflow_model_analysis.proto import config_pb2

from evenhand.components import balanced_accuracy, plain_scores

SPLIT, LABEL = "image/split", "image/class/label"


def eval_config(*, is_baseline: bool, is_gated: bool) -> config_pb2.EvalConfig:
    """The Evaluator's configuration for one strategy.

    Args:
      is_baseline: whether the strategy is the baseline itself, which has no model to be compared with.
      is_gated: whether there is a validation split for the thresholds to stand on; without thresholds the
        Evaluator blesses nothing.
    """
    candidate = config_pb2.ModelSpec(signature_name="examples", label_key=LABEL, prediction_key="probabilities")
    specs = [candidate]
    if not is_baseline:
        candidate.name = "candidate"
        specs.append(
            config_pb2.ModelSpec(
                name="baseline",
                is_baseline=True,
                signature_name="examples",
                label_key=LABEL,
                prediction_key="probabilities",
            )
        )
    metrics = [
        config_pb2.MetricConfig(class_name="ExampleCount"),
        config_pb2.MetricConfig(class_name="SparseCategoricalAccuracy"),
        config_pb2.MetricConfig(
            class_name="BalancedAccuracy",
            module=balanced_accuracy.__name__,
            per_slice_thresholds=[_threshold(is_baseline=is_baseline)] if is_gated else [],
        ),
        config_pb2.MetricConfig(class_name="PlainScores", module=plain_scores.__name__),
        config_pb2.MetricConfig(class_name="MultiClassConfusionMatrixPlot"),
    ]
    return config_pb2.EvalConfig(
        model_specs=specs,
        slicing_specs=[
            config_pb2.SlicingSpec(feature_keys=[SPLIT]),
            config_pb2.SlicingSpec(feature_keys=[SPLIT, LABEL]),
        ],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
    )


def _threshold(*, is_baseline: bool) -> config_pb2.PerSliceMetricThreshold:
    """Not worse than the baseline in balanced accuracy on validation; the baseline must only have a value."""
    threshold = config_pb2.MetricThreshold()
    if is_baseline:
        threshold.value_threshold.lower_bound.value = 0.0
    else:
        threshold.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = 0.0
    return config_pb2.PerSliceMetricThreshold(
        slicing_specs=[config_pb2.SlicingSpec(feature_values={SPLIT: "validation"})], threshold=threshold
    )
