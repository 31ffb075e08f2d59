"""The ceiling that the benchmark of verdicts prints is that of statsmodels."""

from __future__ import annotations

import pytest
from statsmodels.stats.power import TTestIndPower

from benchmarks.verdicts import power


@pytest.mark.parametrize("repeats", [5, 7])
@pytest.mark.parametrize("deviation", [0.008, 0.017])
def test_power_is_that_of_students_t(repeats: int, deviation: float) -> None:
    expected = TTestIndPower().power(0.03 / deviation, nobs1=repeats, alpha=0.05)
    assert power(0.03, deviation, repeats) == pytest.approx(expected, abs=1e-4)
