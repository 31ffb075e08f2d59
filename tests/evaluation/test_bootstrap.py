"""Bootstrap intervals: they cover, agree with another library where images are many, and end in range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score

from evenhand.evaluation import bootstrap
from evenhand.evaluation.bootstrap import average_precision_interval, confusion_intervals
from evenhand.evaluation.confusion import confusion_matrix, measure_confusion

SUPPORT = np.array([3, 5, 10, 30, 100])


def answer_law(recall: float) -> np.ndarray:
    """float[c, c], probability of each answer to an image of the row's class; common classes are called more often."""
    called = np.tile(np.sqrt(SUPPORT), (len(SUPPORT), 1))
    np.fill_diagonal(called, 0)
    called *= (1 - recall) / called.sum(axis=1, keepdims=True)
    np.fill_diagonal(called, recall)
    return called


@pytest.mark.parametrize(("recall", "least"), [(0.5, 0.88), (0.9, 0.9), (0.98, 0.9)])
def test_classes_of_3_to_100_images_are_covered(recall: float, least: float) -> None:
    law, trials = answer_law(recall), 120
    truth = measure_confusion(law * SUPPORT[:, None])
    rng = np.random.default_rng(0)
    held = {name: np.zeros(np.shape(getattr(truth, name))) for name in ("precision", "f1", "macro_f1", "matthews")}
    for trial in range(trials):
        matrix = np.stack([rng.multinomial(n, row) for n, row in zip(SUPPORT, law, strict=True)])
        found = confusion_intervals(matrix, seed=trial, num_resamples=300)
        for name, hits in held.items():
            value = getattr(truth, name)
            hits += (found[name].low <= value) & (value <= found[name].high)
    # Three standard errors of a simulated share below what is promised.
    bound = least - 3 * np.sqrt(least * (1 - least) / trials)
    for name, hits in held.items():
        assert (hits / trials >= bound).all(), (name, hits / trials)


def test_many_images_give_the_bootstrap_of_scipy() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 2000)
    predicted = np.where(rng.random(4000) < 0.8, labels, 1 - labels)
    ours = confusion_intervals(confusion_matrix(labels, predicted, 2), num_resamples=4000)["macro_f1"]
    theirs = stats.bootstrap(
        (predicted[:2000], predicted[2000:]),
        lambda a, b: f1_score(labels, np.concatenate([a, b]), average="macro"),
        vectorized=False,
        paired=False,
        n_resamples=300,
        method="percentile",
        rng=1,
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.003)


@given(arrays.arrays(np.int64, (3, 3), elements=st.integers(0, 20)).filter(lambda matrix: matrix.any()))
@settings(max_examples=30, deadline=None)
def test_the_measure_lies_in_its_interval(matrix: np.ndarray) -> None:
    measures = measure_confusion(matrix)
    for name, ends in confusion_intervals(matrix, num_resamples=50).items():
        value = getattr(measures, name)
        known = ~np.isnan(value)
        assert ((ends.low <= value) & (value <= ends.high))[known].all(), name
        assert (ends.low >= (-1 if name == "matthews" else 0))[known].all() and (ends.high <= 1)[known].all(), name


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_average_precision_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    is_class = rng.random(40) < 0.3
    is_class[0] = True
    # Few distinct scores, so that many are equal.
    scores = rng.integers(0, 8, 40) / 7
    positive, negative = bootstrap._counts_by_score(is_class, scores)
    assert positive.sum() == is_class.sum() and negative.sum() == (~is_class).sum()
    [found] = bootstrap._average_precision(positive[None], negative[None, :-1])
    assert found == pytest.approx(average_precision_score(is_class, scores), abs=1e-6)


@pytest.mark.parametrize("num_images", [3, 10, 30, 100])
def test_average_precision_is_covered(num_images: int) -> None:
    numbers = np.random.default_rng(0)
    shares = np.array([num_images, 400])
    many = np.repeat([True, False], 500 * shares)
    truth = average_precision_score(many, numbers.normal(2.0 * many))
    is_class, trials = np.repeat([True, False], shares), 200
    held = 0
    for trial in range(trials):
        low, high = average_precision_interval(is_class, numbers.normal(2.0 * is_class), seed=trial, num_resamples=300)
        held += low <= truth <= high
    assert held / trials >= 0.9


def test_intervals_are_drawn_from_the_seed_in_chunks() -> None:
    matrix = np.diag([5, 6, 7]) + 1
    first, again = (confusion_intervals(matrix, seed=3)["f1"].low for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert bootstrap.chunk_sizes(1000, 200**2) == [50] * 20
    assert sum(bootstrap.chunk_sizes(1000, 3)) == 1000
