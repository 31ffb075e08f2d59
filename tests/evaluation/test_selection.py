"""The choice of the model to push."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from evenhand.evaluation.selection import Selection, select

LABELS = np.array([0, 0, 0, 1, 2, 2])


def _probabilities(predicted: list[int]) -> np.ndarray:
    return np.eye(3)[predicted]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_balanced_accuracy_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(pairs).T
    # scikit-learn warns about classes that are predicted but absent, and leaves them out as we do.
    with pytest.warns(UserWarning) if set(predicted) - set(labels) else _nothing():
        expected = balanced_accuracy_score(labels, predicted)
    selection = select({"baseline": (labels, np.eye(5)[predicted])}, forced=None, minimum=None)
    assert selection.scores == {"baseline": pytest.approx(expected)}


def _nothing():
    import contextlib

    return contextlib.nullcontext()


def test_the_best_on_validation_is_chosen_and_a_tie_goes_to_the_simpler() -> None:
    right, wrong = _probabilities([0, 0, 0, 1, 2, 2]), _probabilities([0, 0, 0, 0, 0, 0])
    candidates = {"baseline": (LABELS, wrong), "oversample": (LABELS, right), "balanced_softmax": (LABELS, right)}
    selection = select(candidates, forced=None, minimum=None)
    assert selection.chosen == "oversample" and selection.passes
    assert selection.scores == {"baseline": pytest.approx(1 / 3), "oversample": 1.0, "balanced_softmax": 1.0}
    assert Selection.from_json(selection.to_json()) == selection


def test_a_forced_choice_and_a_missed_minimum() -> None:
    candidates = {"baseline": (LABELS, _probabilities([0] * 6)), "oversample": (LABELS, np.eye(3)[LABELS])}
    selection = select(candidates, forced="baseline", minimum=0.5)
    assert selection.chosen == "baseline" and selection.forced and not selection.passes
    assert select(candidates, forced=None, minimum=0.5).passes


def test_without_validation_images_only_a_forced_choice_without_a_minimum_passes() -> None:
    empty = {"baseline": (np.array([], int), np.zeros((0, 3)))}
    assert select(empty, forced="baseline", minimum=None).passes
    assert not select(empty, forced="baseline", minimum=0.1).passes
