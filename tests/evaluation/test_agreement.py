"""Random inputs: every measure and test agrees with scikit-learn, scipy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics
from statsmodels.stats import contingency_tables, multitest

from evenhand.evaluation.calibration import with_temperature
from evenhand.evaluation.comparison import holm, mcnemar
from evenhand.evaluation.intervals import paired_difference, wilson
from evenhand.evaluation.paired_tests import cohens_g, odds_ratio
from evenhand.evaluation.per_class import evaluate
from evenhand.evaluation.uncertainty import MEASURES, class_uncertainty, entropy, mean_uncertainty

NAMES = ("a", "b", "c", "d")
SEEDS = st.integers(0, 2**32 - 1)


def random_answers(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """int[n] and float32[n, 4], as a classifier gives them; some classes may have no image."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, rng.integers(2, 60), p=rng.dirichlet(np.ones(4)))
    return labels, rng.dirichlet(np.full(4, 0.3), len(labels)).astype(np.float32)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_scores(seed: int) -> None:
    labels, p = random_answers(seed)
    found, called = evaluate(labels, p, NAMES), p.argmax(axis=1)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, called, labels=range(4), zero_division=0
    )
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, called), abs=1e-6)
    assert found.balanced_accuracy == pytest.approx(recall[support > 0].mean(), abs=1e-6)
    assert found.macro_f1 == pytest.approx(metrics.f1_score(labels, called, average="macro"), abs=1e-6)
    assert found.weighted_f1 == pytest.approx(metrics.f1_score(labels, called, average="weighted"), abs=1e-6)
    assert found.matthews == pytest.approx(metrics.matthews_corrcoef(labels, called), abs=1e-6)
    assert found.geometric_mean == pytest.approx(float(stats.gmean(recall[support > 0])), abs=1e-6)
    for k, row in enumerate(found.per_class):
        assert (row.precision, row.f1, row.support) == pytest.approx((precision[k], f1[k], support[k]), abs=1e-6)
        if support[k]:
            ranked = metrics.average_precision_score(labels == k, p[:, k])
            assert (row.recall, row.average_precision) == pytest.approx((recall[k], ranked), abs=1e-6)
        if support[k] < len(labels):
            specificity = metrics.recall_score(labels != k, called != k)
            assert row.specificity == pytest.approx(specificity, abs=1e-6)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_every_value_lies_in_its_interval(seed: int) -> None:
    found = evaluate(*random_answers(seed), NAMES)
    for scores in (found, *found.per_class):
        for name in (key.removesuffix("_low") for key in scores.__dict__ if key.endswith("_low")):
            value, low, high = (getattr(scores, name + end) for end in ("", "_low", "_high"))
            assert low is None or -1 <= low <= value <= high <= 1, name


@given(st.integers(0, 400), st.integers(0, 400))
@settings(deadline=None)
def test_mcnemar(only_a: int, only_b: int) -> None:
    a = np.repeat([True, False, True], [only_a, only_b, 5])
    b = np.repeat([False, True, True], [only_a, only_b, 5])
    total = only_a + only_b
    expected = stats.binomtest(only_a, total).pvalue if total else 1.0
    assert mcnemar(a, b) == pytest.approx(expected, abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
@settings(deadline=None)
def test_holm_in_the_words_of_its_paper(p: list[float]) -> None:
    # The smallest of m is compared with a / m, the next with a / (m - 1), ..., until one fails.
    adjusted = holm(p)
    for level in (0.01, 0.05, 0.3):
        rejected = 0
        for rank, place in enumerate(np.argsort(p, kind="stable")):
            if p[place] > level / (len(p) - rank):
                break
            rejected += 1
        assert abs(int((adjusted <= level + 1e-12).sum()) - rejected) <= int(
            np.isclose(adjusted, level, atol=1e-9).sum()
        )


@given(st.integers(1, 1000), st.data())
@settings(deadline=None)
def test_wilson(total: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, total))
    expected = stats.binomtest(successes, total).proportion_ci(0.95, "wilson")
    assert wilson(successes, total) == pytest.approx((expected.low, expected.high), abs=1e-6)


@given(SEEDS)
@settings(deadline=None)
def test_uncertainty(seed: int) -> None:
    labels, p = random_answers(seed)
    p = p.astype(np.float64) / p.sum(axis=1, keepdims=True, dtype=np.float64)
    np.testing.assert_allclose(entropy(p), stats.entropy(p, axis=1, base=4), atol=1e-6)
    ordered = np.sort(p, axis=1)[:, ::-1]
    expected = {
        "least_confidence": (1 - ordered[:, 0]) * 4 / 3,
        "margin_of_confidence": 1 - ordered[:, 0] + ordered[:, 1],
        "ratio_of_confidence": ordered[:, 1] / ordered[:, 0],
        "entropy": stats.entropy(p, axis=1, base=4),
    }
    assert mean_uncertainty(p) == pytest.approx({name: each.mean() for name, each in expected.items()}, abs=1e-6)
    for k, found in enumerate(class_uncertainty(labels, p, 4)):
        if found is None:
            assert not (labels == k).any()
        else:
            assert found == pytest.approx({name: expected[name][labels == k].mean() for name in MEASURES}, abs=1e-6)


@given(SEEDS, st.floats(0.1, 10))
@settings(deadline=None)
def test_temperature_one_changes_nothing_and_any_keeps_the_answer(seed: int, temperature: float) -> None:
    _, p = random_answers(seed)
    p = np.maximum(p.astype(np.float64), 1e-9)
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(with_temperature(p, 1.0), p, atol=1e-6)
    np.testing.assert_array_equal(with_temperature(p, temperature).argmax(axis=1), p.argmax(axis=1))


@given(*[st.integers(0, 50)] * 4)
@settings(deadline=None, max_examples=20)
def test_statsmodels(both: int, only_a: int, only_b: int, neither: int) -> None:
    table = [[both, only_a], [only_b, neither]]
    a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    expected = contingency_tables.mcnemar(table, exact=True)
    assert mcnemar(a, b) == pytest.approx(min(1.0, expected.pvalue), abs=1e-6)
    p = np.array([both, only_a, only_b, neither]) / 50
    assert holm(p) == pytest.approx(multitest.multipletests(p, method="holm")[1], abs=1e-6)


@given(*[st.integers(1, 50)] * 4)
@settings(deadline=None)
def test_effect_sizes_and_the_interval_tell_one_story(both: int, only_a: int, only_b: int, neither: int) -> None:
    low, high = paired_difference(both, only_a, only_b, neither, 0.95)
    better = only_a > only_b
    assert (cohens_g(only_a, only_b) > 0) == better and (odds_ratio(only_a, only_b) > 1) == better
    if low > 0:
        assert better
    if high < 0:
        assert only_b > only_a
