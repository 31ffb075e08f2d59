"""A small network that learns to tell a run's classes apart, and so says which images are alike.

Distances between generated and real images need features in which likeness means something for the data at hand. Those
of a network trained on ImageNet say little of 28-pixel digits and need a download; this one trains in seconds on the
real training images. Its values compare generators on the same data only, and only with the same extractor: `name` says
which it is.
"""

from __future__ import annotations

import hashlib

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from evenhand.config import Augmentation
from evenhand.data.batches import batches
from evenhand.data.image_table import ImageTable

FEATURES = 64

_STEPS, _BATCH, _LEARNING_RATE = 300, 64, 2e-3
_WIDTH, _MOST_FILTERS, _SMALLEST_MAP = 16, 64, 4
_AUGMENTATION = Augmentation(rotation=10.0, shift=0.1, zoom=0.1)


class FeatureExtractor:
    """Images to features; see `train_extractor`.

    Attributes:
      name: of this very extractor, with a digest of its weights.
    """

    def __init__(self, network: keras.Model) -> None:
        self._features = keras.Model(network.input, network.get_layer("features").output)
        digest = hashlib.sha256()
        for weight in network.get_weights():
            digest.update(np.ascontiguousarray(weight).tobytes())
        self.name = f"class_features-{digest.hexdigest()[:8]}"

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32[n, 64] of uint8[n, h, w, c]."""
        chunks = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
        features = [np.asarray(self._features(chunk.astype(np.float32), training=False)) for chunk in chunks]
        return np.concatenate(features) if features else np.zeros((0, FEATURES), np.float32)


def train_extractor(images: ImageTable, *, seed: int) -> FeatureExtractor:
    """Trains an extractor on labelled images, every class alike often, with small rotations, shifts and zooms.

    Args:
      images: real training images.
      seed: of weights and batches.
    """
    network = _network(images.image_shape, len(images.class_names), seed)
    network.compile(
        keras.optimizers.Adam(_LEARNING_RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
        steps_per_execution=10,
    )
    data = batches(
        images, batch_size=_BATCH, sampling="balanced", seed=seed, num_steps=_STEPS, augmentation=_AUGMENTATION
    )
    network.fit(data, epochs=1, shuffle=False, verbose=0)
    return FeatureExtractor(network)


def _network(image_shape: tuple[int, int, int], num_classes: int, seed: int) -> keras.Model:
    seeds = np.random.default_rng(seed)

    def initializer() -> keras.initializers.Initializer:
        return keras.initializers.HeNormal(seed=int(seeds.integers(2**31)))

    images = keras.Input(image_shape)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    filters = _WIDTH
    while min(x.shape[1:3]) > _SMALLEST_MAP:
        x = layers.Conv2D(filters, 4, 2, "same", kernel_initializer=initializer(), use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        filters = min(2 * filters, _MOST_FILTERS)
    x = layers.Dense(FEATURES, kernel_initializer=initializer(), activation="relu")(layers.Flatten()(x))
    features = layers.Activation("linear", dtype="float32", name="features")(x)
    logits = layers.Dense(num_classes, kernel_initializer=initializer(), dtype="float32")(features)
    return keras.Model(images, logits)
