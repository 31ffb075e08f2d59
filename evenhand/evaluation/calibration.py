"""Whether probabilities mean what they say, and what correcting prior and temperature would make of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15

_LEAST = 1e-12


@dataclass(frozen=True)
class ReliabilityCurve:
    """How often predictions are right, by how sure they were; bins without images are left out.

    Attributes:
      confidence: float64[b], mean confidence in each bin, rising.
      accuracy: float64[b], share of the bin's images that are right.
      count: int64[b], images in the bin.
      weight: float64[b], share of the bin in the error, summing to 1; that of its images unless images are weighted.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]
    weight: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean gap, weighted by images."""
        return min(1.0, float(np.abs(self.confidence - self.accuracy) @ self.weight))


def reliability_curve(
    labels: ArrayLike, probabilities: ArrayLike, *, bins: int = BINS, weights: ArrayLike | None = None
) -> ReliabilityCurve:
    """The curve of the predicted class's probability (Guo et al., On Calibration of Modern Neural Networks, 2017).

    Args:
      labels: int[n], true classes; at least one.
      probabilities: float[n, c].
      bins: of equal width over [0, 1].
      weights: float[n], of each image, e.g. to stand for another prior of the classes; None weighs all alike.
    """
    y, p = _checked(labels, probabilities)
    return _curve(p.max(axis=1), p.argmax(axis=1) == y, bins, weights)


def class_reliability_curve(
    labels: ArrayLike, probabilities: ArrayLike, label: int, *, bins: int = BINS, weights: ArrayLike | None = None
) -> ReliabilityCurve:
    """The curve of one class's probability over all images, right where the image is of that class."""
    y, p = _checked(labels, probabilities)
    return _curve(p[:, label], y == label, bins, weights)


def classwise_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, *, bins: int = BINS, weights: ArrayLike | None = None
) -> float:
    """Mean over the classes of the error of their curves (Nixon et al., Measuring Calibration, 2019), in [0, 1]."""
    num_classes = np.asarray(probabilities).shape[1]
    curves = (class_reliability_curve(labels, probabilities, k, bins=bins, weights=weights) for k in range(num_classes))
    return float(np.mean([curve.error for curve in curves]))


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, *, bins: int = BINS, weights: ArrayLike | None = None
) -> float:
    """Mean gap between confidence and accuracy over bins of equal width, in [0, 1]; 0 is calibrated."""
    return reliability_curve(labels, probabilities, bins=bins, weights=weights).error


def with_temperature(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """softmax(log p / T), float64[n, c]."""
    return _softmax(np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST)) / temperature)


def with_prior(probabilities: ArrayLike, learned: ArrayLike, wanted: ArrayLike) -> NDArray[np.float64]:
    """Probabilities under another prior of the classes: p times wanted over learned, made to sum to 1.

    Exact where the classifier is calibrated under the prior that it learned and only the prior changes (Saerens et al.,
    Adjusting the Outputs of a Classifier to New a Priori Probabilities, 2002, equation 4).

    Args:
      probabilities: float[n, c].
      learned: float[c], the prior they hold, e.g. class counts, or equal numbers after rebalancing; positive.
      wanted: float[c], the prior to hold instead; not negative, in any scale.

    Raises:
      ValueError: if a prior is not of that kind.
    """
    p = np.asarray(probabilities, np.float64)
    old, new = np.asarray(learned, np.float64), np.asarray(wanted, np.float64)
    if old.shape != (p.shape[1],) or new.shape != old.shape or (old <= 0).any() or (new < 0).any() or not new.any():
        raise ValueError(f"expected two priors [{p.shape[1]}], the learned one positive, not {old} and {new}")
    scaled = np.maximum(p, _LEAST) * (new / new.sum()) / (old / old.sum())
    return scaled / scaled.sum(axis=1, keepdims=True)


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    y, p = np.asarray(labels), np.asarray(probabilities, np.float64)
    if y.ndim != 1 or len(y) == 0 or p.ndim != 2 or len(p) != len(y):
        raise ValueError(f"expected labels [n] and probabilities [n, c] with n > 0, not {y.shape} and {p.shape}")
    return y, p


def _curve(
    confidence: NDArray[np.float64], is_right: NDArray[np.bool_], bins: int, weights: ArrayLike | None = None
) -> ReliabilityCurve:
    # Bins are open below and closed above, as in the paper: a probability of 1 belongs to the last one.
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    each = np.ones(len(places)) if weights is None else np.asarray(weights, np.float64)
    total = np.bincount(places, each, minlength=bins)
    filled = total > 0
    sums = np.bincount(places, each * confidence, minlength=bins)
    right = np.bincount(places, each * is_right, minlength=bins)
    return ReliabilityCurve(
        sums[filled] / total[filled],
        right[filled] / total[filled],
        np.bincount(places, minlength=bins)[filled],
        total[filled] / total.sum(),
    )


def _softmax(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    exponents = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = exponents / exponents.sum(axis=1, keepdims=True)
    return shares
