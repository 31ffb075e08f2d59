"""S4's four measures on worked rows, and their bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.evaluation.uncertainty import entropy, least_confidence, margin_of_confidence, ratio_of_confidence

MEASURES = [least_confidence, margin_of_confidence, ratio_of_confidence, entropy]


def test_worked_rows() -> None:
    p = [[0.5, 0.25, 0.25, 0.0], [0.7, 0.2, 0.1, 0.0]]
    assert least_confidence(p) == pytest.approx([4 * 0.5 / 3, 4 * 0.3 / 3])
    assert margin_of_confidence(p) == pytest.approx([0.75, 0.5])
    assert ratio_of_confidence(p) == pytest.approx([0.5, 2 / 7])
    assert entropy(p)[0] == pytest.approx(1.5 / 2)  # 0.5 * 1 + 2 * 0.25 * 2 bits, of log2(4) = 2


@pytest.mark.parametrize("measure", MEASURES)
def test_certain_is_zero_and_uniform_is_one(measure) -> None:
    assert measure([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]]) == pytest.approx([0.0, 1.0])


@given(st.integers(2, 12), st.integers(0, 2**31))
def test_measures_stay_between_zero_and_one(num_classes: int, seed: int) -> None:
    p = np.random.default_rng(seed).dirichlet(np.full(num_classes, 0.3), 50).astype(np.float32)
    for measure in MEASURES:
        values = measure(p)
        assert values.shape == (50,)
        assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("p", [[0.5, 0.5], [[1.0]], [[1.5, -0.5]], [[np.nan, 1.0]]])
def test_refuses_what_are_no_probabilities(measure, p) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        measure(p)
