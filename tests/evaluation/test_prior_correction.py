"""Temperature and prior strength are found again, and correcting with them does what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score

from evenhand.evaluation.calibration import expected_calibration_error
from evenhand.evaluation.prior_correction import Correction, corrected_scores, fit_correction

COUNTS = np.array([700, 250, 50])


def long_tail(num_images: int, prior: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels with a prior, and the images' likelihoods float[n, 3] under each class."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, num_images, p=prior / prior.sum())
    features = rng.normal(np.eye(3)[labels] * 2)
    return labels, np.exp(-0.5 * ((features[:, None] - 2 * np.eye(3)) ** 2).sum(axis=2))


def posterior(likelihood: np.ndarray, strength: float, sharpness: float) -> np.ndarray:
    """What a classifier says that holds part of the training prior and is too sure by `sharpness`."""
    logs = np.log(likelihood) + strength * np.log(COUNTS / COUNTS.sum())
    return softmax(sharpness * logs, axis=1)


@pytest.mark.parametrize(("strength", "sharpness"), [(1.0, 1.0), (1.0, 2.5), (0.0, 1.0), (0.0, 0.5), (0.5, 2.0)])
def test_planted_numbers_are_found_again(strength: float, sharpness: float) -> None:
    labels, likelihood = long_tail(20_000, COUNTS)
    found = fit_correction(labels, posterior(likelihood, strength, sharpness), COUNTS)
    assert found.temperature == pytest.approx(sharpness, rel=0.06)
    assert found.strength == pytest.approx(strength, abs=0.06)


@pytest.mark.parametrize(("strength", "sharpness"), [(1.0, 2.5), (0.0, 1.5)])
def test_correction_calibrates_under_either_prior(strength: float, sharpness: float) -> None:
    correction = fit_correction(*_validation(strength, sharpness), COUNTS)
    labels, likelihood = long_tail(20_000, np.ones(3), seed=1)
    p = posterior(likelihood, strength, sharpness)
    for wanted in (np.ones(3), COUNTS):
        corrected = correction.apply(p, COUNTS, wanted)
        scores = corrected_scores(labels, p, corrected, wanted)
        assert scores.calibration_error < 0.02 < scores.calibration_error_before
        assert scores.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, corrected.argmax(axis=1)))
    balanced = corrected_scores(labels, p, correction.apply(p, COUNTS, np.ones(3)), np.ones(3))
    if strength:
        assert balanced.balanced_accuracy > balanced.balanced_accuracy_before + 0.05


def _validation(strength: float, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    labels, likelihood = long_tail(5000, COUNTS, seed=2)
    return labels, posterior(likelihood, strength, sharpness)


def test_weights_stand_for_another_prior() -> None:
    labels = np.array([0, 0, 1, 1])
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]])
    found = corrected_scores(labels, p, p, [3, 1])
    assert found.accuracy == pytest.approx((3 * 0.5 + 1) / 4)
    assert found.balanced_accuracy == 0.75
    even = corrected_scores(labels, p, p, [1, 1])
    assert even.calibration_error == pytest.approx(expected_calibration_error(labels, p))
    # Every probability stands in a bin of its own: gaps of 0.1, 0.8, 0.3 and 0.1 for either class.
    assert even.classwise_error == even.classwise_error_before == pytest.approx(1.3 / 4)
    assert found.classwise_error == pytest.approx((3 * 0.1 + 3 * 0.8 + 0.3 + 0.1) / 8)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_a_fit_is_never_less_likely_than_no_correction(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, p = rng.integers(0, 3, 30), rng.dirichlet(np.ones(3), 30)
    found = fit_correction(labels, p, COUNTS)
    assert 0.05 <= found.temperature <= 20 and -1 <= found.strength <= 2

    def loss(correction: Correction) -> float:
        return -float(np.log(correction.apply(p, COUNTS, COUNTS)[np.arange(30), labels]).mean())

    assert loss(found) <= loss(Correction(1.0, 1.0)) + 1e-9


@pytest.mark.parametrize(
    ("temperature", "strength", "words"),
    [
        (1.3, 0.9, None),
        (20.0, 1.0, "the temperature ended at the limit of its range, 20"),
        (0.05, 1.0, "the temperature ended at the limit of its range, 0.05"),
        (1.0, -1.0, "the prior's strength ended at the limit of its range, -1"),
        (1.0, 2.0, "the prior's strength ended at the limit of its range, 2"),
        (1.0, 0.0, None),
    ],
)
def test_a_number_at_the_limit_of_its_range_is_told(temperature: float, strength: float, words: str | None) -> None:
    assert Correction(temperature, strength).at_limit == words


def test_a_fit_that_follows_images_of_the_common_class_alone_ends_at_the_limit() -> None:
    # The same row for every image and no image of the rare classes: the more of the prior is added, the likelier.
    found = fit_correction(np.zeros(27, int), np.tile([0.4, 0.3, 0.3], (27, 1)), COUNTS)
    assert found.strength == pytest.approx(-1.0)
    assert found.at_limit is not None


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="n > 0"):
        fit_correction([], np.zeros((0, 3)), COUNTS)
