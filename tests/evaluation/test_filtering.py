"""Which images of each class remain: hand-worked cases, and what holds for any scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from evenhand.evaluation.filtering import Filtered, Step, best_of_each_class, first_of_each_class

LABELS = np.array([0, 1, 0, 0, 1, 0, 3])
SCORES = np.array([0.1, 0.9, 0.8, 0.8, 0.2, 0.5, 0.0])


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"keep": 0.5}, [1, 2, 3, 6]),  # 2 of 4, 1 of 2, and the only one of class 3
        ({"keep": 0.25}, [1, 2, 6]),  # of two equally good ones the earlier
        ({"keep": 1.0}, [0, 1, 2, 3, 4, 5, 6]),
        ({"top_k": 1}, [1, 2, 6]),
        ({"top_k": 3}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_the_best_of_each_class(options: dict[str, float], rows: list[int]) -> None:
    assert np.flatnonzero(best_of_each_class(SCORES, LABELS, **options)).tolist() == rows


def test_a_share_of_whole_images_loses_none_to_rounding() -> None:
    assert best_of_each_class(np.arange(100), np.zeros(100, int), keep=0.29).sum() == 29


def test_the_first_of_each_class_that_passed() -> None:
    passed = np.array([True, True, False, True, True, True, True])
    used = first_of_each_class(passed, LABELS, [2, 5, 0, 0])
    assert np.flatnonzero(used).tolist() == [0, 1, 3, 4]


@pytest.mark.parametrize("wrong", [{}, {"keep": 0.5, "top_k": 2}])
def test_a_share_or_a_number_and_not_both(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="one of them"):
        best_of_each_class(SCORES, LABELS, **wrong)


def test_scores_must_be_numbers() -> None:
    with pytest.raises(ValueError, match="finite"):
        best_of_each_class([0.1, np.nan], [0, 1], top_k=1)


_IMAGES = st.integers(0, 60).flatmap(
    lambda n: st.tuples(
        arrays.arrays(np.int64, n, elements=st.integers(0, 4)),
        arrays.arrays(np.float64, n, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(-10, 10)),
    )
)


@given(_IMAGES, st.integers(1, 20) | st.floats(0.01, 1.0))
def test_never_more_than_asked_and_none_that_is_worse_than_one_dropped(
    images: tuple[np.ndarray, np.ndarray], most: float
) -> None:
    labels, scores = images
    is_number = isinstance(most, int)
    kept = best_of_each_class(scores, labels, **({"top_k": most} if is_number else {"keep": most}))
    for label in range(5):
        own = labels == label
        allowed = most if is_number else max(1.0, most * own.sum() + 1e-6)
        assert (kept & own).sum() <= allowed
        assert (kept & own).any() == own.any()
        if (own & ~kept).any():
            assert scores[own & kept].min() >= scores[own & ~kept].max()


@given(_IMAGES, st.lists(st.integers(0, 10), min_size=5, max_size=5))
def test_the_surplus_goes_from_the_end(images: tuple[np.ndarray, np.ndarray], most: list[int]) -> None:
    labels, scores = images
    passed = scores > 0
    used = first_of_each_class(passed, labels, most)
    assert not (used & ~passed).any()
    for label in range(5):
        rows = np.flatnonzero(passed & (labels == label))
        assert np.flatnonzero(used & (labels == label)).tolist() == rows[: most[label]].tolist()


def test_what_passed_is_what_the_last_filter_kept() -> None:
    first = Step("a", {}, np.arange(4), np.zeros(4), np.array([True, False, True, True]))
    second = Step("b", {}, np.array([0, 2, 3]), np.zeros(3), np.array([False, True, True]))
    found = Filtered(np.array([0, 0, 1, 1]), 3, (first, second), np.array([False, False, True, False]))
    assert found.passed.tolist() == [False, False, True, True]
    assert found.counts(found.passed).tolist() == [0, 2, 0]
    assert found.counts(second.rows).tolist() == [1, 2, 0]
