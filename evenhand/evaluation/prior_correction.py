"""What temperature and prior correction, fitted on validation, would make of a classifier on test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from evenhand.evaluation.calibration import (
    BINS,
    classwise_calibration_error,
    expected_calibration_error,
    with_prior,
    with_temperature,
)

_LEAST = 1e-12
_TEMPERATURES = (0.05, 20.0)
_STRENGTHS = (-1.0, 2.0)

MINIMUM_VALIDATION_IMAGES = 100
"""On fewer images the two numbers are not fitted: they follow single images."""


@dataclass(frozen=True)
class Correction:
    """Two numbers that make probabilities mean what they say.

    Attributes:
      temperature: above 1 where the classifier was too sure.
      strength: how much of the training prior its probabilities hold: about 1 after plain training, about 0 after
        training that rebalanced.
    """

    temperature: float
    strength: float

    @property
    def at_limit(self) -> str | None:
        """Which number ended at the limit of its range, in words: such a fit means nothing. None where neither did."""
        for name, value, limits in (
            ("temperature", self.temperature, _TEMPERATURES),
            ("prior's strength", self.strength, _STRENGTHS),
        ):
            for limit in limits:
                if math.isclose(value, limit, rel_tol=1e-3):
                    return f"the {name} ended at the limit of its range, {limit:g}"
        return None

    def apply(self, probabilities: ArrayLike, train_counts: ArrayLike, wanted: ArrayLike) -> NDArray[np.float64]:
        """Probabilities under the prior `wanted`, float64[n, c].

        Args:
          probabilities: float[n, c].
          train_counts: float[c], training images of each class; a class without any is taken to have one.
          wanted: float[c], in any scale.
        """
        held = np.maximum(np.asarray(train_counts, np.float64), 1.0) ** self.strength
        return with_prior(with_temperature(probabilities, self.temperature), held, wanted)


def fit_correction(labels: ArrayLike, probabilities: ArrayLike, train_counts: ArrayLike) -> Correction:
    """The temperature and prior strength that make validation's labels most likely under the training prior.

    With p the probabilities and pi the training prior, p^(1/T) pi^(1 - s), made to sum to 1, is fitted by its
    likelihood: temperature scaling (Guo et al., On Calibration of Modern Neural Networks, 2017) and logit adjustment
    after training (Menon et al., Long-Tail Learning via Logit Adjustment, 2021) at once, as Alexandari et al. (Maximum
    Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift Adaptation, 2020) fit one bias per class.
    Two numbers for all classes, since a rare class has too few validation images for one of its own.

    Args:
      labels: int[n], of validation images that come with the training prior; at least one.
      probabilities: float[n, c].
      train_counts: float[c], training images of each class; a class without any is taken to have one.

    Returns:
      T in [0.05, 20] and s in [-1, 2].
    """
    y, p = np.asarray(labels), np.asarray(probabilities, np.float64)
    if y.ndim != 1 or len(y) == 0 or p.ndim != 2 or len(p) != len(y):
        raise ValueError(f"expected labels [n] and probabilities [n, c] with n > 0, not {y.shape} and {p.shape}")
    logs = np.log(np.maximum(p, _LEAST))
    counts = np.maximum(np.asarray(train_counts, np.float64), 1.0)
    log_prior = np.log(counts / counts.sum())
    rows = np.arange(len(y))

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        inverse, strength = np.exp(-point[0]), point[1]
        scores = logs * inverse + (1 - strength) * log_prior
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        totals = shares.sum(axis=1)
        shares /= totals[:, None]
        value = float(np.mean(np.log(totals) - scores[rows, y]))
        by_inverse = float(np.mean((shares * logs).sum(axis=1) - logs[rows, y]))
        by_strength = float(np.mean(log_prior[y] - shares @ log_prior))
        return value, np.array([-inverse * by_inverse, by_strength])

    bounds = [tuple(np.log(_TEMPERATURES)), _STRENGTHS]
    found = optimize.minimize(loss, np.array([0.0, 1.0]), jac=True, bounds=bounds, method="L-BFGS-B")
    return Correction(float(np.exp(found.x[0])), float(found.x[1]))


@dataclass(frozen=True)
class CorrectedScores:
    """A classifier on test images weighted to come with a prior, before and after correction to that prior.

    Attributes:
      accuracy: share recognised after correction, in [0, 1].
      accuracy_before: as it is.
      balanced_accuracy: mean recall after correction; the same images, whatever the weights.
      balanced_accuracy_before: as it is.
      calibration_error: expected calibration error after correction.
      calibration_error_before: as it is.
      classwise_error: mean over classes of the calibration error of the class's probability, after correction.
      classwise_error_before: as it is.
    """

    accuracy: float
    accuracy_before: float
    balanced_accuracy: float
    balanced_accuracy_before: float
    calibration_error: float
    calibration_error_before: float
    classwise_error: float
    classwise_error_before: float

    def to_dict(self) -> dict[str, Any]:
        """The object as it stands in result.json."""
        return dict(self.__dict__)


def corrected_scores(
    labels: ArrayLike, probabilities: ArrayLike, corrected: ArrayLike, prior: ArrayLike, *, bins: int = BINS
) -> CorrectedScores:
    """Scores before and after correction, each image weighted by its class's share of `prior` over that of the images.

    Args:
      labels: int[n], of test images.
      probabilities: float[n, c], as the classifier gives them.
      corrected: float[n, c], the same after `Correction.apply` with this prior.
      prior: float[c], in any scale; classes without images are left out.
      bins: of the calibration error.
    """
    y = np.asarray(labels)
    support = np.bincount(y, minlength=len(np.asarray(prior)))
    weights = np.asarray(prior, np.float64)[y] / support[y]
    recalls, errors, classwise = [], [], []
    for p in (np.asarray(probabilities), np.asarray(corrected)):
        right = np.bincount(y[p.argmax(axis=1) == y], minlength=len(support))
        recalls.append(right[support > 0] / support[support > 0])
        errors.append(expected_calibration_error(y, p, bins=bins, weights=weights))
        classwise.append(classwise_calibration_error(y, p, bins=bins, weights=weights))
    shares = np.asarray(prior, np.float64)[support > 0]
    before, after = (min(1.0, float(np.average(recall, weights=shares))) for recall in recalls)
    return CorrectedScores(
        accuracy=after,
        accuracy_before=before,
        balanced_accuracy=float(recalls[1].mean()),
        balanced_accuracy_before=float(recalls[0].mean()),
        calibration_error=errors[1],
        calibration_error_before=errors[0],
        classwise_error=classwise[1],
        classwise_error_before=classwise[0],
    )
