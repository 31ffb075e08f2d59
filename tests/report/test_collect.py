"""From evidence to result: every number against its definition, several seeds, and evidence that does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from evenhand.evaluation.comparison import mcnemar
from evenhand.report.collect import Evidence, build_result
from evenhand.report.predictions import Predictions
from evenhand.report.result import Result


@pytest.fixture(scope="module")
def evidence(make_evidence: Callable[..., Evidence]) -> Evidence:
    return make_evidence()


@pytest.fixture(scope="module")
def result(evidence: Evidence) -> Result:
    return build_result(evidence)


def test_scores_are_those_of_scikit_learn(evidence: Evidence, result: Result) -> None:
    for name, strategy in evidence.strategies.items():
        for split in ("test", "validation"):
            part = strategy.predictions[0].part(split)
            expected = metrics.balanced_accuracy_score(part.labels, part.probabilities.argmax(axis=1))
            assert getattr(result.strategies[name], split).balanced_accuracy == pytest.approx(expected)
    assert [repeat.seed for repeat in result.strategies["baseline"].repeats] == [0]
    assert result.strategies["baseline"].repeats[0].test == result.strategies["baseline"].test


def test_each_strategy_is_compared_with_what_says_something_about_it(result: Result) -> None:
    pairs = [(c.strategy, c.versus, c.versus_name) for c in result.comparison]
    assert pairs == [
        ("oversample", "baseline", "baseline"),
        ("balanced_softmax", "baseline", "baseline"),
        ("pretrain_finetune", "matched", "matched_arm"),
        ("pretrain_finetune", "baseline", "baseline"),
        ("pretrain_finetune", "best_remedy", "balanced_softmax"),
        ("matched_arm", "baseline", "baseline"),
    ]
    assert result.comparison[4].chosen_on == "validation"


def test_changes_are_differences_of_recall_with_exact_tests(evidence: Evidence, result: Result) -> None:
    entry = result.comparison[2]
    a, b = (evidence.strategies[name].predictions[0].part("test") for name in ("pretrain_finetune", "matched_arm"))
    correct = [p.probabilities.argmax(axis=1) == p.labels for p in (a, b)]
    for k, row in enumerate(entry.per_class):
        rows = a.labels == k
        assert row.change == pytest.approx(correct[0][rows].mean() - correct[1][rows].mean())
        assert row.p_raw == pytest.approx(mcnemar(correct[0][rows], correct[1][rows]))
    assert entry.balanced_accuracy_change == pytest.approx(np.mean([row.change for row in entry.per_class]))


def test_the_order_of_rows_does_not_matter(evidence: Evidence, result: Result) -> None:
    def shuffled(p: Predictions) -> Predictions:
        order = np.random.default_rng(1).permutation(len(p))
        return Predictions(p.seed, p.ids[order], p.splits[order], p.labels[order], p.probabilities[order])

    strategy = evidence.strategies["pretrain_finetune"]
    moved = replace(strategy, predictions=[shuffled(p) for p in strategy.predictions])
    assert build_result(replace(evidence, strategies={**evidence.strategies, "pretrain_finetune": moved})) == result


def test_several_seeds_give_means_and_each_seed(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence(seeds=(0, 1, 2)))
    strategy = result.strategies["oversample"]
    assert [repeat.seed for repeat in strategy.repeats] == [0, 1, 2]
    assert len({repeat.test.balanced_accuracy for repeat in strategy.repeats}) > 1
    for measure in ("accuracy", "balanced_accuracy", "macro_f1", "worst_class_recall"):
        mean = np.mean([getattr(repeat.test, measure) for repeat in strategy.repeats])
        assert getattr(strategy.test, measure) == pytest.approx(mean)
    recalls = [repeat.validation.per_class[3].recall for repeat in strategy.repeats]
    assert strategy.validation.per_class[3].recall == pytest.approx(np.mean(recalls))


def test_without_validation_the_remedy_is_chosen_in_its_own_favour(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence(num_validation=0))
    assert result.strategies["baseline"].validation is None
    remedy = next(c for c in result.comparison if c.versus == "best_remedy")
    assert (remedy.versus_name, remedy.chosen_on) == ("balanced_softmax", "test")


def test_history_is_thinned_and_finite(evidence: Evidence) -> None:
    rows = [{"step": float(s), "loss": float("nan") if s == 0 else 1 / s} for s in range(5000)]
    strategies = {**evidence.strategies}
    strategies["baseline"] = replace(strategies["baseline"], history=rows)
    history = build_result(replace(evidence, strategies=strategies)).strategies["baseline"].history
    assert len(history) <= 200
    assert history[0] == {"step": 0.0}
    assert history[-1]["step"] == 4999


def test_evidence_that_does_not_fit_is_refused(evidence: Evidence) -> None:
    strategy = evidence.strategies["oversample"]
    prediction = strategy.predictions[0]
    cases = {
        "other images": replace(strategy, predictions=[replace(prediction, ids=prediction.ids[::-1])]),
        "other seeds": replace(strategy, predictions=[replace(prediction, seed=5)]),
    }
    for problem, broken in cases.items():
        with pytest.raises(ValueError, match=problem):
            build_result(replace(evidence, strategies={**evidence.strategies, "oversample": broken}))
    with pytest.raises(ValueError, match="'nothing' is referred to"):
        replace(evidence, selected="nothing")
