"""TFMA, run for real on predictions, gives the numbers of the plain functions in every slice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from evenhand.components import evaluator
from evenhand.components.plain_scores import NAMES, OF_CLASS, OF_CONFUSION, OF_CONFUSION_OF_CLASS
from evenhand.evaluation.calibration import class_reliability_curve
from evenhand.evaluation.confusion import confusion_matrix, measure_confusion
from evenhand.evaluation.per_class import evaluate
from evenhand.evaluation.uncertainty import MEASURES, class_uncertainty, mean_uncertainty

CLASSES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, splits and probabilities; validation holds no image of the last class."""
    rng = np.random.default_rng(0)
    labels = np.concatenate([rng.integers(0, 4, 120), rng.integers(0, 3, 40)])
    p = rng.dirichlet(np.full(4, 0.5), len(labels)).astype(np.float32)
    p[np.arange(len(labels)), labels] += 0.3
    return labels, np.repeat(["test", "validation"], [120, 40]), p / p.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def found(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tfma.EvalResult:
    labels, splits, p = rows
    config = config_pb2.EvalConfig()
    config.CopyFrom(evaluator.eval_config(is_baseline=True, is_gated=False))
    [spec] = config.model_specs
    spec.ClearField("signature_name")
    spec.prediction_key = "probabilities"
    data = pd.DataFrame({evaluator.LABEL: labels, evaluator.SPLIT: splits, "probabilities": list(p)})
    metrics = [m for m in config.metrics_specs[0].metrics if m.class_name in ("PlainScores", "BalancedAccuracy")]
    del config.metrics_specs[0].metrics[:]
    config.metrics_specs[0].metrics.extend(metrics)
    return tfma.analyze_raw_data(data, config)


@pytest.fixture(scope="module")
def slices(found: tfma.EvalResult) -> dict[tuple, dict[str, float]]:
    return {
        key: {name: value["doubleValue"] for name, value in metrics[""][""].items()}
        for key, metrics in found.slicing_metrics
    }


@pytest.mark.parametrize("split", ["test", "validation"])
def test_each_class_of_a_split_is_found_by_its_class_id(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray], found: tfma.EvalResult, split: str
) -> None:
    labels, splits, p = rows
    chosen = splits == split
    expected = evaluate(labels[chosen], p[chosen], CLASSES)
    for label, scores in enumerate(expected.per_class):
        metrics = found.get_metrics_for_slice(slice_name=((evaluator.SPLIT, split),), class_id=label)
        assert set(metrics) == set(OF_CLASS)
        for name in (*OF_CONFUSION_OF_CLASS, "average_precision"):
            value = getattr(scores, name)
            expected_value = np.nan if value is None else value
            assert float(metrics[name]["doubleValue"]) == pytest.approx(expected_value, nan_ok=True), name
        error = class_reliability_curve(labels[chosen], p[chosen], label).error
        assert metrics["calibration_error"]["doubleValue"] == pytest.approx(error)
    slice_of_a_class = ((evaluator.LABEL, 0), (evaluator.SPLIT, split))
    [one_class] = [by_output[""] for key, by_output in found.slicing_metrics if key == slice_of_a_class]
    assert set(one_class) == {""}, "of one class alone these numbers would say nothing"


@pytest.mark.parametrize("split", ["test", "validation"])
def test_each_split_has_the_scores_of_the_plain_functions(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray], slices: dict[tuple, dict[str, float]], split: str
) -> None:
    labels, splits, p = rows
    chosen = splits == split
    expected = evaluate(labels[chosen], p[chosen], CLASSES)
    found = slices[((evaluator.SPLIT, split),)]
    assert set(found) == {*NAMES, "balanced_accuracy"}
    for name in (*OF_CONFUSION, "calibration_error", "balanced_accuracy"):
        assert found[name] == pytest.approx(getattr(expected, name), abs=1e-6), name
    for name, value in mean_uncertainty(p[chosen]).items():
        assert found[name] == pytest.approx(value, abs=1e-6), name


def test_each_class_has_its_uncertainty_and_scores(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray], slices: dict[tuple, dict[str, float]]
) -> None:
    labels, splits, p = rows
    chosen = splits == "test"
    expected = class_uncertainty(labels[chosen], p[chosen], len(CLASSES))
    for label in range(len(CLASSES)):
        found = slices[((evaluator.LABEL, label), (evaluator.SPLIT, "test"))]
        for name in MEASURES:
            assert found[name] == pytest.approx(expected[label][name], abs=1e-6), name
        only = chosen & (labels == label)
        matrix = confusion_matrix(labels[only], p[only].argmax(axis=1), len(CLASSES))
        assert found["macro_f1"] == pytest.approx(float(measure_confusion(matrix).macro_f1), abs=1e-6)
    assert not any(key[0] == (evaluator.LABEL, 3) and key[1] == (evaluator.SPLIT, "validation") for key in slices)
