"""Profiles by hand-worked counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.config import CountsProfile, GeometricProfile
from evenhand.data.imbalance import geometric_counts, keep_random, profile_counts
from evenhand.errors import UserError

NAMES = ("a", "b", "c")


def test_geometric_counts_by_hand():
    assert geometric_counts(100, 0.65, 10) == [100, 65, 43, 28, 18, 12, 8, 5, 4, 3]
    assert geometric_counts(6000, 0.5, 10) == [6000, 3000, 1500, 750, 375, 188, 94, 47, 24, 12]
    assert geometric_counts(5, 0.1, 4) == [5, 1, 1, 1]
    assert geometric_counts(7, 1.0, 3) == [7, 7, 7]


def test_the_ratio_is_the_decimal_that_is_written():
    assert geometric_counts(1000, 0.1, 4) == [1000, 100, 10, 1]


@given(st.integers(1, 10**6), st.floats(0.01, 1.0), st.integers(1, 30))
def test_geometric_counts_fall_and_stay_positive(largest, ratio, num_classes):
    counts = geometric_counts(largest, ratio, num_classes)
    assert counts[0] == largest and min(counts) >= 1
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("arguments", [(0, 0.5, 3), (10, 0.0, 3), (10, 1.5, 3), (10, 0.5, 0)])
def test_senseless_arguments_are_refused(arguments):
    with pytest.raises(ValueError):
        geometric_counts(*arguments)


@pytest.mark.parametrize(
    "profile, expected",
    [
        (None, [40, 10, 80]),
        (GeometricProfile(ratio=0.5), [40, 10, 10]),
        (GeometricProfile(ratio=0.5, largest=16), [16, 8, 4]),
        (GeometricProfile(ratio=0.5, largest=100), [40, 10, 25]),
        (GeometricProfile(ratio=0.5, order="largest-first"), [40, 10, 80]),
        (GeometricProfile(ratio=0.25, order="largest-first"), [20, 5, 80]),
        (GeometricProfile(ratio=0.5, order=("c", "b", "a")), [20, 10, 80]),
        (CountsProfile(counts=(3, 10, 7)), [3, 10, 7]),
    ],
)
def test_profile_counts(profile, expected):
    assert profile_counts(profile, np.array([40, 10, 80]), NAMES).tolist() == expected


@pytest.mark.parametrize(
    "profile, words",
    [
        (CountsProfile(counts=(3, 11, 7)), "data.profile.counts: asks for 11 images of class 'b', but 10 are left"),
        (CountsProfile(counts=(3, 7)), "data.profile.counts: gives 2 counts for 3 classes"),
        (GeometricProfile(ratio=0.5, order=("a", "b")), "data.profile.order: does not name every class once"),
    ],
)
def test_profiles_that_cannot_be_made(profile, words):
    with pytest.raises(UserError, match=words):
        profile_counts(profile, np.array([40, 10, 80]), NAMES)


@given(st.integers(0, 100))
def test_keep_random_keeps_exactly_the_counts(seed):
    labels = np.repeat([0, 1, 2], [50, 20, 5])
    candidates = np.arange(75) % 5 > 0
    counts = np.array([10, 16, 0])
    kept = keep_random(labels, candidates, counts, np.random.default_rng(seed))
    assert not (kept & ~candidates).any()
    assert np.bincount(labels[kept], minlength=3).tolist() == counts.tolist()
