"""Scores against scikit-learn, and what happens where it has no answer."""

from __future__ import annotations

import numpy as np
import pytest
from imblearn.metrics import geometric_mean_score, specificity_score
from sklearn import metrics

from evenhand.evaluation.intervals import mean_of_proportions, wilson
from evenhand.evaluation.per_class import evaluate
from evenhand.evaluation.repeats import mean_scores

NAMES = ["a", "b", "c", "d", "e"]


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(5, 200, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    labels[:5] = range(5)
    probabilities = rng.dirichlet(np.full(5, 0.4), 200)
    probabilities[np.arange(200), labels] += 0.3
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_scikit_learn(seed: int) -> None:
    labels, probabilities = random_case(seed)
    predicted = probabilities.argmax(axis=1)
    scores = evaluate(labels, probabilities, NAMES, 0.95)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(5), zero_division=0
    )
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted), abs=1e-12)
    assert scores.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(labels, predicted), abs=1e-12)
    assert scores.macro_f1 == pytest.approx(metrics.f1_score(labels, predicted, average="macro"), abs=1e-12)
    assert scores.worst_class_recall == pytest.approx(recall.min(), abs=1e-12)
    assert scores.weighted_f1 == pytest.approx(metrics.f1_score(labels, predicted, average="weighted"), abs=1e-12)
    assert scores.geometric_mean == pytest.approx(geometric_mean_score(labels, predicted), abs=1e-9)
    assert scores.matthews == pytest.approx(metrics.matthews_corrcoef(labels, predicted), abs=1e-12)
    specificity = specificity_score(labels, predicted, average=None)
    ranked = metrics.average_precision_score(np.eye(5)[labels], probabilities, average=None)
    for k, row in enumerate(scores.per_class):
        assert (row.name, row.support) == (NAMES[k], support[k])
        assert (row.precision, row.recall, row.f1) == pytest.approx((precision[k], recall[k], f1[k]), abs=1e-12)
        assert (row.specificity, row.average_precision) == pytest.approx((specificity[k], ranked[k]), abs=1e-12)
        right = round(recall[k] * support[k])
        assert (row.recall_low, row.recall_high) == pytest.approx(wilson(right, int(support[k]), 0.95))


def test_a_class_without_images_has_no_recall_and_is_left_out_of_means() -> None:
    scores = evaluate([0, 0, 1], [[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 1, 0]], ["a", "b", "c"])
    assert scores.per_class[2].recall is None
    assert scores.per_class[2].recall_low is None
    assert scores.balanced_accuracy == pytest.approx(0.75)
    assert scores.worst_class_recall == pytest.approx(0.5)
    assert scores.macro_f1 == pytest.approx(metrics.f1_score([0, 0, 1], [0, 1, 1], average="macro"))


def test_the_json_object_is_that_of_the_contract() -> None:
    entry = evaluate([0, 1], [[0.9, 0.1], [0.8, 0.2]], ["a", "b"]).to_dict()
    assert set(entry) >= {"accuracy", "balanced_accuracy", "macro_f1", "worst_class_recall", "per_class"}
    assert set(entry["per_class"][0]) >= {
        "class", "support", "recall", "recall_low", "recall_high", "precision", "f1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([], np.zeros((0, 2)), "n > 0"),
        ([0, 1], [[1.0, 0.0]], "expected labels"),
        ([0, 2], [[1.0, 0.0], [0.0, 1.0]], "must be in"),
        ([0], [[np.nan, 1.0]], "finite"),
    ],
)
def test_refuses_what_does_not_fit(labels: list[int], probabilities: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(labels, probabilities, ["a", "b"])


def test_mean_of_one_seed_is_that_seed() -> None:
    scores = evaluate(*random_case(0), NAMES)
    assert mean_scores([scores]) is scores


def test_mean_over_seeds_is_wider_where_seeds_disagree() -> None:
    runs = [evaluate(random_case(0)[0], random_case(seed)[1], NAMES) for seed in range(5)]
    mean = mean_scores(runs)
    assert mean.accuracy == pytest.approx(np.mean([run.accuracy for run in runs]))
    assert mean.worst_class_recall == pytest.approx(np.mean([run.worst_class_recall for run in runs]))
    assert mean.per_class[1].recall == pytest.approx(np.mean([run.per_class[1].recall for run in runs]))
    alone = mean_of_proportions(
        [row.recall * row.support for row in mean.per_class], [r.support for r in mean.per_class]
    )
    assert mean.balanced_accuracy_low < alone[0]
    assert mean.balanced_accuracy_high > alone[1]
    for row in mean.per_class:
        assert 0 <= row.recall_low <= row.recall <= row.recall_high <= 1
