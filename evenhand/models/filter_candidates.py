"""What filters may know of synthetic images: the baseline's view, the generator's, and real images; never test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evenhand.data.image_table import ImageTable
from evenhand.evaluation.copies import CopyAudit, Space, audit_copies
from evenhand.evaluation.embedded import Embedded
from evenhand.evaluation.generative_scores import Features
from evenhand.models.extractors import classifier as classifier_extractor
from evenhand.models.feature_extractor import FeatureExtractor, extract_features
from evenhand.models.generator_artifact import load_sampler


@dataclass(frozen=True)
class FilterInputs:
    """Where filters look; what is not needed is never computed.

    Attributes:
      synthetic: all images that were drawn.
      train: the real images that the generator was trained on.
      validation: real images that it was not trained on; perhaps none.
      classifier: folder of the baseline's model, which saw real images only; None where no filter needs it.
      generator: folder of the generator; None where no filter needs it.
    """

    synthetic: ImageTable
    train: ImageTable
    validation: ImageTable
    classifier: str | None = None
    generator: str | None = None

    @cached_property
    def _extractor(self) -> FeatureExtractor:
        if self.classifier is None:
            raise ValueError("a filter that asks for the classifier must name it in NEEDS")
        options = classifier_extractor.Options(path=self.classifier)
        return classifier_extractor.build(options, lambda: self.train, image_shape=self.synthetic.image_shape, seed=0)

    def features_of(self, images: ImageTable, kind: str) -> Features:
        """The baseline's features of images, and its class probabilities."""
        return extract_features(self._extractor, images, task=f"baseline's view of {kind} images")

    @cached_property
    def features(self) -> Features:
        """Those of all synthetic images."""
        return self.features_of(self.synthetic, "synthetic")

    @cached_property
    def known(self) -> Embedded:
        """The training images with their features."""
        return _embedded(self.train, self.features_of(self.train, "training"))

    @cached_property
    def fresh(self) -> Embedded:
        """The validation images with their features."""
        if not len(self.validation):  # Of no images there are no features, but they have the same width.
            return self.known.rows(np.arange(0))
        return _embedded(self.validation, self.features_of(self.validation, "validation"))

    @cached_property
    def realness(self) -> NDArray[np.float32]:
        """float32[n], the generator's score of all synthetic images."""
        if self.generator is None:
            raise ValueError("a filter that asks for the generator must name it in NEEDS")
        return load_sampler(self.generator).realness(self.synthetic.images, self.synthetic.labels)


class Candidates:
    """The images that a filter judges, those that the filters before it kept.

    Attributes:
      labels: int32[m], the classes that they were made for.
      ids: str[m].
    """

    def __init__(self, inputs: FilterInputs, rows: NDArray[np.int64]) -> None:
        self._inputs, self._rows = inputs, rows
        self.labels, self.ids = inputs.synthetic.labels[rows], inputs.synthetic.ids[rows]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def images(self) -> NDArray[np.uint8]:
        """uint8[m, h, w, c], a copy."""
        return self._inputs.synthetic.images[self._rows]

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """float32[m, c], the baseline's class probabilities."""
        probabilities = self._inputs.features.probabilities
        assert probabilities is not None, "a classifier of ours has probabilities"
        return probabilities[self._rows]

    @property
    def realness(self) -> NDArray[np.float32]:
        """float32[m], the discriminator's or critic's score, higher for what looks more real."""
        return self._inputs.realness[self._rows]

    def copies(self, *, false_alarms: float, spaces: tuple[Space, ...]) -> CopyAudit:
        """Copies of training images among them, in pixels and in the baseline's features; see `audit_copies`."""
        own = _embedded(self._inputs.synthetic, self._inputs.features).rows(self._rows)
        return audit_copies(own, self._inputs.known, self._inputs.fresh, false_alarms=false_alarms, spaces=spaces)


def _embedded(table: ImageTable, features: Features) -> Embedded:
    return Embedded(table.images, features.values, table.labels, table.ids)
