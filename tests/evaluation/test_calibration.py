"""Calibration against hand-worked values, scikit-learn, and what must hold whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.calibration import calibration_curve

from evenhand.evaluation import calibration


def answers(num_images: int = 4000, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the very probabilities, which are then made too sure by `sharpness`."""
    numbers = np.random.default_rng(0)
    logits = 2 * numbers.normal(size=(num_images, 3))
    p = softmax(logits, axis=1)
    labels = (p.cumsum(axis=1) < numbers.random(num_images)[:, None]).sum(axis=1)
    return labels, softmax(sharpness * logits, axis=1)


def test_error_by_hand() -> None:
    # Two bins of ten: 0.75 and 0.75 with one right of two (gap 0.25), 0.95 with one right of one (gap 0.05).
    p = [[0.75, 0.25], [0.25, 0.75], [0.95, 0.05]]
    assert calibration.expected_calibration_error([0, 0, 0], p, bins=10) == pytest.approx((2 * 0.25 + 0.05) / 3)


def test_curve_is_that_of_scikit_learn() -> None:
    labels, p = answers()
    curve = calibration.class_reliability_curve(labels, p, 1, bins=10)
    expected_accuracy, expected_confidence = calibration_curve(labels == 1, p[:, 1], n_bins=10)
    np.testing.assert_allclose(curve.accuracy, expected_accuracy)
    np.testing.assert_allclose(curve.confidence, expected_confidence)
    assert curve.count.sum() == len(labels)


def test_probability_one_belongs_to_the_last_bin_and_zero_to_the_first() -> None:
    curve = calibration.class_reliability_curve([0, 1], [[1.0, 0.0], [0.0, 1.0]], 0, bins=4)
    np.testing.assert_array_equal(curve.confidence, [0.0, 1.0])
    np.testing.assert_array_equal(curve.accuracy, [0.0, 1.0])


def test_temperature_is_a_softmax_of_scaled_logits() -> None:
    logits = np.array([[1.0, 2.0, -1.0]])
    expected = np.exp(log_softmax(logits / 2, axis=1))
    np.testing.assert_allclose(calibration.with_temperature(softmax(logits, axis=1), 2.0), expected)


def test_prior_by_hand() -> None:
    # Bayes: odds 0.6 : 0.4 under 3 : 1 become 0.2 : 0.4 under equal priors.
    np.testing.assert_allclose(calibration.with_prior([[0.6, 0.4]], [30, 10], [1, 1]), [[1 / 3, 2 / 3]])
    np.testing.assert_allclose(calibration.with_prior([[0.6, 0.4]], [1, 1], [2, 2]), [[0.6, 0.4]])
    with pytest.raises(ValueError, match="learned one positive"):
        calibration.with_prior([[0.6, 0.4]], [0, 1], [1, 1])


def test_weighted_images_stand_for_as_many() -> None:
    labels, p = answers(60)
    weights = np.random.default_rng(1).integers(0, 4, 60)
    repeated = calibration.reliability_curve(np.repeat(labels, weights), np.repeat(p, weights, axis=0))
    weighted = calibration.reliability_curve(labels, p, weights=weights)
    np.testing.assert_allclose(weighted.confidence, repeated.confidence)
    np.testing.assert_allclose(weighted.accuracy, repeated.accuracy)
    assert weighted.error == pytest.approx(repeated.error)
