"""A random forest on the features of the run's trained classifier (a baseline of S4): never pushed.

S4 takes a ResNet: `classifier: {name: resnet50}`. The classifier is trained on the real images with the same budget as
everywhere; the forest takes what its last layer takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evenhand.models.phase import Phase
from evenhand.models.strategies._options import LossOptions


class Options(LossOptions):
    """Options of the strategy.

    Attributes:
      loss: of the classifier whose features the forest takes.
      trees: of the forest.
      class_weight: `balanced` counts every class alike in the forest; None every image.
    """

    trees: int = Field(500, ge=1, le=10_000)
    class_weight: Literal["balanced"] | None = "balanced"


def phases(options: Options) -> tuple[Phase, ...]:
    """One phase on the real images, for the features."""
    return options.apply_to(Phase(on="real", loss=options.loss))


def fit(
    options: Options, features: NDArray[np.float32], labels: NDArray[np.int32], *, seed: int
) -> tuple[NDArray[np.int64], Callable[[NDArray[np.float32]], NDArray[np.float64]]]:
    """Fits the forest.

    Args:
      options: of the strategy.
      features: float32[n, d], of the classifier.
      labels: int32[n].
      seed: of all that is random.

    Returns:
      The classes present, int64[k], and a function from features to their probabilities, float64[n, k].
    """
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(options.trees, class_weight=options.class_weight, random_state=seed)
    forest.fit(features, labels)
    return forest.classes_.astype(np.int64), forest.predict_proba
