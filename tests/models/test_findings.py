"""Sentences about collapse and saturation."""

from __future__ import annotations

import numpy as np

from evenhand.models.generators import diffusion, reacgan
from evenhand.models.training import findings


def rows(*accuracies: tuple[float, float]) -> list[dict[str, float]]:
    return [
        {"step": 50.0 * (index + 1), "real_accuracy": real, "synthetic_accuracy": synthetic}
        for index, (real, synthetic) in enumerate(accuracies)
    ]


def test_collapsed_and_poor_classes_are_named() -> None:
    found = findings.collapse(np.array([0.9, 0.01, 0.2, np.nan, 0.0]), ("a", "b", "c", "d", "e"))
    assert found == [
        "collapsed: the synthetic images of 'b' and 'e' are nearly all the same",
        "little diversity: the synthetic images of 'c' (20%) vary far less than real ones",
    ]
    assert findings.collapse(np.array([0.9, 1.2]), ("a", "b")) == []
    (many,) = findings.collapse(np.zeros(200), [str(label) for label in range(200)])
    assert "images of '0', '1', '2', '3', '4', '5', '6', '7' and 192 more are" in many


def test_a_discriminator_that_has_won_is_told_with_its_step() -> None:
    (found,) = findings.saturation(rows((0.8, 0.9), *[(1.0, 0.995)] * 5))
    assert "since step 100" in found
    assert findings.saturation(rows(*[(1.0, 1.0)] * 6, (0.8, 1.0))) == []
    assert findings.saturation(rows(*[(1.0, 1.0)] * 4)) == []
    assert findings.saturation([{"step": 50.0, "critic_gap": 1.0}] * 9) == []


def test_a_decline_after_the_weights_that_are_kept_is_told() -> None:
    seen = [{"step": 100, "d": 4.0, "least_diversity": 0.8}, {"step": 200, "d": 2.0, "least_diversity": 0.9}]
    worse = {"step": 300, "d": 6.0, "least_diversity": 0.01}
    (found,) = findings.decline([*seen, worse], 200, "d")
    assert found.startswith(
        "training went wrong after step 200: by step 300 the distance to real images rose from 2 to 6 "
    )
    assert "and a class collapsed; the weights of step 200 are kept" in found
    assert findings.decline([*seen, {**worse, "d": 5.9, "least_diversity": 0.5}], 200, "d") == []
    assert findings.decline(seen, 200, "d") == []
    assert findings.decline(seen, 57, "d") == []


def test_a_schedule_longer_than_the_training_is_told() -> None:
    options = diffusion.Options(size="paper")
    (found,) = findings.cut_off(options, 1000)
    assert found.startswith("warm_up_steps is 19,531, but training ended after 1,000 steps: ")
    assert findings.cut_off(options, 20_000) == []
    assert findings.cut_off(reacgan.Options(average_start=None), 10) == []
    assert len(findings.cut_off(reacgan.Options(average_start=4000), 1000)) == 1
