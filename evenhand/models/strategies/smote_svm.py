"""SMOTE on the pixels, then a support vector machine (a baseline of S4): predicts like the others, never pushed.

SMOTE puts new points between an image and one of its nearest neighbours of the same class (Chawla et al., 2002). Both
come from imbalanced-learn and scikit-learn as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from evenhand.config import Section
from evenhand.models.phase import Phase


class Options(Section):
    """Options of the strategy.

    Attributes:
      size: px; larger images are reduced to it first, as distances between pixels say less the more there are.
      neighbours: of an image, between which and it SMOTE puts new ones. A class of fewer images repeats its own until
        each has so many.
      most: images of a class, as the time of a support vector machine grows with their square; larger classes keep a
        random choice, smaller ones are filled up to the largest that remains. None for no bound.
      c: penalty of the margin's violations.
    """

    size: int = Field(32, ge=4, le=256)
    neighbours: int = Field(5, ge=1)
    most: int | None = Field(1000, ge=2)
    c: float = Field(10.0, gt=0.0)

    @model_validator(mode="after")
    def _most_leaves_neighbours(self) -> Options:
        if self.most is not None and self.most <= self.neighbours:
            raise ValueError(f"most must be above neighbours, {self.neighbours}, so that every image has as many")
        return self


def phases(options: Options) -> tuple[Phase, ...]:
    """None: no network is trained."""
    del options
    return ()


def fit(
    options: Options, features: NDArray[np.float32], labels: NDArray[np.int32], *, seed: int
) -> tuple[NDArray[np.int64], Callable[[NDArray[np.float32]], NDArray[np.float64]]]:
    """Fits the machine.

    Args:
      options: of the strategy.
      features: float32[n, d], pixels in 0..1.
      labels: int32[n], of two classes at least.
      seed: of all that is random.

    Returns:
      The classes present, int64[k], and a function from features to the softmax of the machine's decisions,
      float64[n, k], whose largest is its prediction.
    """
    from scipy.special import softmax
    from sklearn.svm import SVC

    machine = SVC(C=options.c, break_ties=True, random_state=seed)
    machine.fit(*balanced(options, features, labels, seed))

    def predict(unseen: NDArray[np.float32]) -> NDArray[np.float64]:
        decisions = machine.decision_function(unseen)
        scores: NDArray[np.float64] = softmax(
            np.stack([-decisions, decisions], axis=1) / 2 if decisions.ndim == 1 else decisions, axis=1
        )
        return scores

    return machine.classes_.astype(np.int64), predict


def balanced(
    options: Options, features: NDArray[np.float32], labels: NDArray[np.int32], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """As many images of every class: those of the largest, or `most`."""
    from imblearn.over_sampling import SMOTE, RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler

    counts = dict(zip(*(part.tolist() for part in np.unique(labels, return_counts=True)), strict=True))
    many = {} if options.most is None else {label: options.most for label, n in counts.items() if n > options.most}
    few = {label: options.neighbours + 1 for label, n in counts.items() if n <= options.neighbours}
    samplers = [
        RandomUnderSampler(sampling_strategy=many, random_state=seed) if many else None,
        RandomOverSampler(sampling_strategy=few, random_state=seed) if few else None,
        SMOTE(k_neighbors=options.neighbours, random_state=seed),
    ]
    for sampler in samplers:
        if sampler is not None:
            features, labels = sampler.fit_resample(features, labels)
    return features, labels
