"""Effect sizes of McNemar's test by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.evaluation.paired_tests import cohens_g, odds_ratio


def test_effect_sizes_by_hand() -> None:
    # 8 images only a gets right, 2 only b: 8 / 10 - 0.5, and 8 to 2.
    assert cohens_g(8, 2) == pytest.approx(0.3)
    assert odds_ratio(8, 2) == 4
    assert cohens_g(0, 0) is None
    assert odds_ratio(3, 0) is None
    assert (cohens_g(3, 0), odds_ratio(0, 3)) == (0.5, 0)


@given(st.integers(1, 500), st.integers(1, 500))
@settings(deadline=None)
def test_either_tells_the_other(only_a: int, only_b: int) -> None:
    ratio = odds_ratio(only_a, only_b)
    assert cohens_g(only_a, only_b) == pytest.approx(ratio / (1 + ratio) - 0.5)
    assert cohens_g(only_b, only_a) == pytest.approx(-cohens_g(only_a, only_b))
