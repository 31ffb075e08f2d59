"""A generator that draws with the running average of its weights: what several GANs have in common."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from evenhand.models.networks import seeded
from evenhand.models.training.average import WeightAverage
from evenhand.models.training.conditional_generator import ConditionalGenerator

Tensor = Any


class AveragedGenerator(ConditionalGenerator):
    """A `ConditionalGenerator` whose images come from the running average of one network, or from the network itself.

    A subclass sets `latent_size`, builds `generator` and its other networks, and then calls `average_weights`.

    Attributes:
      generator: (latents float32[n, latent_size], labels int32[n]) -> float32[n, h, w, c] in [-1, 1]; a subclass whose
        network reads something else overrides `sample`.
      latent_size: numbers in a latent.
      average: follows `generator`; None where images are drawn from `generator` itself.
    """

    generator: keras.Model
    latent_size: int
    average: WeightAverage | None

    def average_weights(self, decay: float) -> None:
        """Starts the running average of `generator` with this decay; 0 draws from `generator` itself."""
        self.average = WeightAverage(self.generator, decay) if decay else None

    @property
    def drawing_network(self) -> keras.Model:
        """The network that images are drawn with."""
        return self.generator if self.average is None else self.average.network

    def after_step(self) -> None:
        """Moves the running average."""
        if self.average is not None:
            self.average.follow(self.generator, self.step)

    def sample(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """Draws images, float32[n, h, w, c] in [-1, 1], of labels int32[n] and seeds int64[n]."""
        latents = seeded.latents_for_seeds(seeds, self.latent_size)
        return self.drawing_network([latents, ops.convert_to_tensor(labels, "int32")], training=False)
