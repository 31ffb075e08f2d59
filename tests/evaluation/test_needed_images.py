"""The number of images against the formula by hand and against McNemar's test itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evenhand.evaluation.needed_images import needed_images


def test_by_hand() -> None:
    # d 0.1, c 0.05: ((1.959964 sqrt(0.1) + 0.841621 sqrt(0.0975)) / 0.05)^2 = 311.8.
    assert needed_images(0.1) == 312
    # Classifiers that agree must at least differ by the change.
    assert needed_images(0.0) == needed_images(0.05)


@pytest.mark.parametrize("discordant", [0.1, 0.3])
def test_the_test_sees_the_change_about_that_often(discordant: float) -> None:
    number = needed_images(discordant)
    numbers = np.random.default_rng(0)
    better, worse = (discordant + 0.05) / 2, (discordant - 0.05) / 2
    trials = numbers.multinomial(number, [better, worse, 1 - discordant], size=400)
    seen = [stats.binomtest(int(a), int(a + b), 0.5).pvalue < 0.05 if a + b else False for a, b, _ in trials]
    assert 0.7 < np.mean(seen) < 0.9


def test_more_difference_needs_more_images() -> None:
    assert needed_images(0.1) < needed_images(0.3) < needed_images(1.0)
    with pytest.raises(ValueError, match=r"1\.5"):
        needed_images(1.5)
