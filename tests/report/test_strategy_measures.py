"""What result.json holds beside the scores, against the plain definitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from evenhand.evaluation.calibration import expected_calibration_error
from evenhand.evaluation.uncertainty import entropy
from evenhand.report.collect import Evidence, StrategyEvidence, build_result
from evenhand.report.predictions import Predictions
from evenhand.report.render import render_html
from evenhand.report.result import Result


@pytest.fixture(scope="module")
def evidence(make_evidence: Callable[..., Evidence]) -> Evidence:
    made = make_evidence(seeds=(0, 1), num_validation=12)
    # The fixture's counts fall from 100 to 3: make the first class a group of its own.
    counts = {**made.data["counts"], "train": [200, *made.data["counts"]["train"][1:]]}
    return replace(made, data={**made.data, "counts": counts}, batch_size=32)


@pytest.fixture(scope="module")
def result(evidence: Evidence) -> Result:
    return build_result(evidence)


def recalls(evidence: Evidence, name: str) -> np.ndarray:
    """float[seeds, c]."""
    parts = [p.part("test") for p in evidence.strategies[name].predictions]
    return np.stack([metrics.recall_score(p.labels, p.probabilities.argmax(axis=1), average=None) for p in parts])


def test_accuracy_under_each_prior(evidence: Evidence, result: Result) -> None:
    counts = np.array(evidence.train_counts)
    weights = {"balanced": np.ones(10), "training": counts, "reversed": counts[::-1]}
    for name, strategy in result.strategies.items():
        assert [row.prior for row in strategy.priors] == list(weights)
        for row in strategy.priors:
            expected = np.average(recalls(evidence, name).mean(axis=0), weights=weights[row.prior])
            assert row.accuracy == pytest.approx(expected)
            assert row.low <= row.accuracy <= row.high
        assert strategy.priors[0].accuracy == pytest.approx(strategy.test.balanced_accuracy)


def test_shot_groups_hold_their_classes(evidence: Evidence, result: Result) -> None:
    counts = np.array(evidence.train_counts)
    members = {"many": counts > 100, "medium": (counts >= 20) & (counts <= 100), "few": counts < 20}
    strategy = result.strategies["pretrain_finetune"]
    assert {row.group: row.classes for row in strategy.shot_groups} == {k: v.sum() for k, v in members.items()}
    mean = recalls(evidence, "pretrain_finetune").mean(axis=0)
    for row in strategy.shot_groups:
        assert row.recall == pytest.approx(mean[members[row.group]].mean())


def test_comparisons_show_groups_and_priors(evidence: Evidence, result: Result) -> None:
    entry = next(c for c in result.comparison if c.versus == "matched")
    change = (recalls(evidence, entry.strategy) - recalls(evidence, entry.versus_name)).mean(axis=0)
    few = np.array(evidence.train_counts) < 20
    [group] = [row for row in entry.shot_groups if row.group == "few"]
    assert group.change == pytest.approx(change[few].mean())
    [balanced] = [row for row in entry.priors if row.prior == "balanced"]
    assert (balanced.change, balanced.low, balanced.high, balanced.verdict) == pytest.approx(
        (entry.balanced_accuracy_change, entry.low, entry.high, entry.verdict)
    )
    for row in entry.per_class:
        assert row.needed_images >= 1
        assert row.cohens_g is None or np.sign(row.cohens_g) == np.sign(row.change)


def test_the_confusion_matrix_is_that_of_scikit_learn(evidence: Evidence, result: Result) -> None:
    parts = [p.part("test") for p in evidence.strategies["baseline"].predictions]
    expected = np.mean([metrics.confusion_matrix(p.labels, p.probabilities.argmax(axis=1)) for p in parts], axis=0)
    found = np.zeros((10, 10))
    for true, called, images in result.strategies["baseline"].confusion:
        found[true, called] = images
    np.testing.assert_allclose(found, expected)


def test_calibration_before_and_after(evidence: Evidence, result: Result) -> None:
    part = result.strategies["baseline"].calibration
    tests = [p.part("test") for p in evidence.strategies["baseline"].predictions]
    errors = [expected_calibration_error(p.labels, p.probabilities) for p in tests]
    assert part.error == pytest.approx(np.mean(errors), abs=1e-6)
    assert sum(point.count for point in part.curve) == sum(len(p.labels) for p in tests)
    assert part.classwise_error == pytest.approx(np.mean([row.error for row in part.per_class]))
    assert [row.prior for row in part.corrected] == ["balanced", "training"]
    balanced = part.corrected[0]
    # Every class has as many test images as the others, so that nothing is weighted.
    assert balanced.calibration_error_before == pytest.approx(part.error, abs=1e-6)
    assert balanced.balanced_accuracy_before == pytest.approx(result.strategies["baseline"].test.balanced_accuracy)


def test_without_validation_there_is_no_correction(make_evidence: Callable[..., Evidence]) -> None:
    part = build_result(make_evidence(num_validation=0)).strategies["baseline"].calibration
    assert (part.temperature, part.corrected) == (None, ())
    assert "no validation images" in part.reason


def with_validation(evidence: Evidence, labels: np.ndarray, probabilities: np.ndarray) -> Evidence:
    """The evidence with these validation rows of every strategy."""
    ids = [f"validation/{i:05d}.png" for i in range(len(labels))]

    def changed(strategy: StrategyEvidence) -> StrategyEvidence:
        parts = [part.part("test") for part in strategy.predictions]
        rows = [
            Predictions.of(
                part.seed,
                np.concatenate([ids, part.ids]),
                np.concatenate([["validation"] * len(labels), part.splits]),
                np.concatenate([labels, part.labels]),
                np.concatenate([probabilities, part.probabilities]),
            )
            for part in parts
        ]
        return replace(strategy, predictions=rows)

    return replace(evidence, strategies={name: changed(part) for name, part in evidence.strategies.items()})


def rows_of(counts: list[int], sure: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels with these counts, and rows float[n, 10] that give the true class the probability `sure`."""
    labels = np.repeat(np.arange(10), counts)
    p = np.full((len(labels), 10), (1 - sure) / 9)
    p[np.arange(len(labels)), labels] = sure
    return labels, p


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ([10] * 9 + [9], "only 99 validation images to fit it on, fewer than 100"),
        ([50] * 8 + [0, 0], "of the validation images to fit it on, classes digit 8 and digit 9 have none"),
        # The true class is always the least probable: the less the probabilities say, the likelier.
        (
            [10] * 10,
            "it could not be fitted on 100 validation images: the temperature ended at the limit of its range, 20",
        ),
    ],
)
def test_a_correction_that_means_nothing_is_left_out(evidence: Evidence, counts: list[int], reason: str) -> None:
    result = build_result(with_validation(evidence, *rows_of(counts, 0.05)))
    part = result.strategies["baseline"].calibration
    assert (part.temperature, part.prior_strength, part.corrected, part.reason) == (None, None, (), reason)
    assert f"no correction: {reason}" in render_html(result)


def test_a_correction_is_shown_with_its_strength_and_what_it_was_fitted_on(result: Result) -> None:
    part = result.strategies["pretrain_finetune"].calibration
    page = render_html(result)
    assert part.reason is None
    assert f'<td class="number">{part.temperature:.2f}</td><td class="number">{part.prior_strength:.2f}</td>' in page
    assert "both fitted on 120 validation images; errors" in page


def test_uncertainty_is_the_mean_over_images_and_seeds(evidence: Evidence, result: Result) -> None:
    found = result.strategies["baseline"].uncertainty
    tests = [p.part("test") for p in evidence.strategies["baseline"].predictions]
    assert found.overall.entropy == pytest.approx(np.mean([entropy(p.probabilities).mean() for p in tests]), abs=1e-6)
    expected = np.mean([entropy(p.probabilities[p.labels == 3]).mean() for p in tests])
    assert found.per_class[3].entropy == pytest.approx(expected, abs=1e-6)
    assert found.per_class[3].class_ == evidence.class_names[3]


def test_convergence_counts_steps_and_passes_over_real_images(evidence: Evidence) -> None:
    def logged(*losses: float) -> list[dict[str, float]]:
        return [{"step": 100.0 * (k + 1), "validation_loss": loss} for k, loss in enumerate(losses)]

    strategies = {**evidence.strategies}
    strategies["baseline"] = replace(strategies["baseline"], history=logged(0.9, 0.5, 0.4, 0.6))
    strategies["oversample"] = replace(strategies["oversample"], history=logged(0.6, 0.3))
    found = build_result(replace(evidence, strategies=strategies)).strategies
    assert found["baseline"].convergence.steps == 300
    fast = found["oversample"].convergence
    assert (fast.steps, fast.epochs) == (200, pytest.approx(200 * 32 / sum(evidence.train_counts)))
    assert found["pretrain_finetune"].convergence.reason == "it logs no validation scores"


def test_every_measure_has_an_interval(result: Result) -> None:
    test = result.strategies["baseline"].test
    for measure in ("accuracy", "macro_f1", "weighted_f1", "geometric_mean", "matthews", "worst_class_recall"):
        low, value, high = (getattr(test, measure + end) for end in ("_low", "", "_high"))
        assert low <= value <= high, measure
    for row in test.per_class:
        for measure in ("recall", "precision", "f1", "specificity", "average_precision"):
            low, value, high = (getattr(row, measure + end) for end in ("_low", "", "_high"))
            assert low <= value <= high, measure
