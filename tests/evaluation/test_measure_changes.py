"""Changes of macro F1 and its like: scikit-learn's values, intervals that cover, and what few images leave open."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from evenhand.evaluation.confusion import confusion_matrix, measure_confusion
from evenhand.evaluation.measure_changes import MEASURES, measure_changes

SIZES = (60, 30, 10, 4)
LABELS = np.repeat(np.arange(4), SIZES)
RATES = np.array([[0.9, 0.8, 0.7, 0.6], [0.85, 0.75, 0.6, 0.4]])
"""How often each class is recognised by the strategy and by its reference."""


def drawn(rng: np.random.Generator, labels: np.ndarray, num_seeds: int = 1) -> np.ndarray:
    """int64[2, seeds, n], answers of either side, which find the same images hard."""
    hard = rng.random(len(labels))
    rank = np.argsort(np.argsort(hard + rng.random((2, num_seeds, len(labels))), axis=-1), axis=-1) / len(labels)
    return np.where(rank < RATES[:, None, labels], labels, (labels + 1 + (hard * 7).astype(int) % 3) % 4)


def test_changes_are_those_of_scikit_learns_scores() -> None:
    ours, theirs = drawn(np.random.default_rng(0), LABELS, num_seeds=3)
    found = measure_changes(LABELS, ours, theirs, 4)
    for name, score in {
        "accuracy": accuracy_score,
        "macro_f1": lambda y, p: f1_score(y, p, average="macro"),
        "weighted_f1": lambda y, p: f1_score(y, p, average="weighted"),
        "matthews": matthews_corrcoef,
    }.items():
        expected = np.mean([score(LABELS, row) for row in ours]) - np.mean([score(LABELS, row) for row in theirs])
        assert found[name].change == pytest.approx(expected, abs=1e-9), name
    assert set(found) == set(MEASURES)


def test_intervals_cover_the_true_change() -> None:
    rng = np.random.default_rng(0)
    many = np.repeat(LABELS, 2000)
    matrices = [confusion_matrix(many, side[0], 4) for side in drawn(rng, many)]
    measures = measure_confusion(np.stack(matrices))
    hits = dict.fromkeys(MEASURES, 0)
    for trial in range(200):
        ours, theirs = drawn(rng, LABELS)
        for name, found in measure_changes(LABELS, ours, theirs, 4, seed=trial, num_resamples=200).items():
            # The last class has too few images to be the worst.
            first, second = measures.recall[:, :3].min(axis=1) if name == MEASURES[-1] else getattr(measures, name)
            hits[name] += found.low <= first - second <= found.high
    # Of 200 intervals that cover in 95%, fewer than 180 do in 1 of 860 simulations.
    assert min(hits.values()) >= 180, hits


def test_more_seeds_that_differ_widen_the_interval_and_more_images_narrow_it() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(LABELS, 20)
    ours, theirs = drawn(rng, labels)
    alike = measure_changes(labels, np.repeat(ours, 3, axis=0), np.repeat(theirs, 3, axis=0), 4)["macro_f1"]
    uneven = np.stack([ours[0], ours[0], labels])
    differing = measure_changes(labels, uneven, np.repeat(theirs, 3, axis=0), 4)["macro_f1"]
    few = measure_changes(labels[::20], ours[:, ::20], theirs[:, ::20], 4)["macro_f1"]
    assert differing.high - differing.low > 2 * (alike.high - alike.low)
    assert few.high - few.low > 2 * (alike.high - alike.low)


def test_a_few_images_that_all_agree_leave_doubt() -> None:
    labels = np.repeat([0, 1], 3)
    for found in measure_changes(labels, labels, 1 - labels, 2).values():
        assert found.low < found.change


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=20))
def test_intervals_hold_the_change_and_turn_round_with_the_sides(rows: list[tuple[int, int, int]]) -> None:
    labels, ours, theirs = np.array(rows).T
    there, back = (measure_changes(labels, *sides, 3, num_resamples=50) for sides in ((ours, theirs), (theirs, ours)))
    for name in MEASURES:
        assert there[name].low <= there[name].change <= there[name].high
        assert there[name].change == pytest.approx(-back[name].change)
    for found in measure_changes(labels, ours, ours, 3, num_resamples=50).values():
        assert found.change == 0 and found.verdict == "no evidence"


def test_the_worst_class_of_a_change_has_ten_test_images() -> None:
    labels = np.repeat([0, 1, 2], [20, 10, 9])
    ours, theirs = labels.copy(), labels.copy()
    ours[20:25] = 0  # Class 1: 5 of 10 against 8 of 10.
    theirs[20:22] = 0
    ours[30:] = 0  # Class 2: 0 of 9 against 9 of 9.
    found = measure_changes(labels, ours, theirs, 3)["worst_class_recall"]
    assert (found.change, found.reason) == (pytest.approx(0.5 - 0.8), None)
    assert measure_changes(labels[:30], ours[:30], theirs[:30], 3)["worst_class_recall"].change == found.change


def test_without_a_class_of_ten_test_images_the_worst_class_has_no_verdict() -> None:
    labels = np.repeat(np.arange(40), 9)
    found = measure_changes(labels, labels, (labels + 1) % 40, 40)
    worst = found["worst_class_recall"]
    assert worst.change == 1.0 and worst.low > 0
    assert (worst.verdict, worst.reason) == ("no evidence", "no class has 10 test images, too few to rank")
    assert (found["accuracy"].verdict, found["accuracy"].reason) == ("helped", None)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected labels \[n\]"):
        measure_changes([0, 1], [0, 1, 1], [0, 1], 2)
