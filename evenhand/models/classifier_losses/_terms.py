"""What tells one classification loss from another: three numbers or vectors, so that all share one training step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ABSENT = -1e9
"""Log of the prior of a class without images; finite, so that gradients stay finite."""


@dataclass(frozen=True)
class LossTerms:
    """The loss of an image of class y is `-weights[y] (1 - p_y)^focusing log p_y`, `p = softmax(logits + log_prior)`.

    Attributes:
      log_prior: float32[c], beside the logits while training and left off afterwards.
      weights: float32[c], of each class's images.
      focusing: gamma of the focal loss; 0 counts every image alike.
    """

    log_prior: NDArray[np.float32]
    weights: NDArray[np.float32]
    focusing: float = 0.0

    @classmethod
    def plain(cls, num_classes: int) -> LossTerms:
        """Cross-entropy."""
        return cls(np.zeros(num_classes, np.float32), np.ones(num_classes, np.float32))

    def mean(self, probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
        """The mean loss of images by their probabilities without prior, float[n, c], as at inference."""
        prior = np.exp(self.log_prior.astype(np.float64))
        weighted = probabilities.astype(np.float64) * prior
        rows = np.arange(len(labels))
        # A class without images may take all the probability, and has no prior.
        likely = np.maximum(weighted.sum(axis=1), np.finfo(np.float64).tiny)
        chosen = np.maximum(weighted[rows, labels] / likely, 1e-12)
        return float(np.mean(-self.weights[labels] * (1.0 - chosen) ** self.focusing * np.log(chosen)))


def log_shares(counts: NDArray[np.floating]) -> NDArray[np.float32]:
    """float32[c], log of each class's share of the images; a class without images is put out of reach."""
    present = counts > 0
    shares = np.where(present, counts, 1.0) / max(float(counts.sum()), 1e-12)
    return np.where(present, np.log(shares), ABSENT).astype(np.float32)


def with_mean_one(weights: NDArray[np.floating], counts: NDArray[np.floating]) -> NDArray[np.float32]:
    """float32[c], weights scaled so that their mean over all images is 1; 0 for a class without images.

    So a weighted loss is of the size of the plain one, and the same learning rate suits both.
    """
    counted = np.where(counts > 0, weights, 0.0)
    return (counted * counts.sum() / (counted * counts).sum()).astype(np.float32)
