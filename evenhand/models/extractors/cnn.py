"""A small network trained in seconds to tell the real images' classes apart; needs no download.

Distances between generated and real images need features in which likeness means something for the data at hand. Those
of a network trained on ImageNet say little of 28-pixel digits. This one learns the classes of the real images at a
fixed seed, so its values compare generators on the same data only, and only under the same name, which holds a digest
of its weights. Real images of a single class teach it by which quarter they were turned (Gidaris et al. 2018) instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from evenhand import progress
from evenhand.config import Augmentation, Section
from evenhand.data.batches import batches
from evenhand.data.image_table import ImageTable
from evenhand.models.feature_extractor import FeatureExtractor, ImageShape, of_network
from evenhand.models.training.fused_adam import FusedAdam

FEATURES = 64

_STEPS, _BATCH, _LEARNING_RATE = 300, 64, 2e-3
_WIDTH, _MOST_FILTERS, _SMALLEST_MAP = 16, 64, 4
_AUGMENTATION = Augmentation(rotation=10.0, shift=0.1, zoom=0.1)
_TURNED_IMAGES, _TURNS = 2000, 4


class Options(Section):
    """The network has no options."""


def build(
    options: Options, training_images: Callable[[], ImageTable], *, image_shape: ImageShape, seed: int
) -> FeatureExtractor:
    """Trains the network.

    Args:
      options: none.
      training_images: gives labelled real images of `image_shape`.
      image_shape: height, width, channels.
      seed: of weights and batches.
    """
    images = training_images()
    if images.image_shape != image_shape:
        raise ValueError(f"expected images of the shape {image_shape}, not {images.image_shape}")
    return train_extractor(images, seed=seed)


def train_extractor(images: ImageTable, *, seed: int) -> FeatureExtractor:
    """Trains an extractor on labelled images, every class alike often, with small rotations, shifts and zooms.

    Args:
      images: real training images.
      seed: of weights and batches.

    Returns:
      An extractor of 64 features, with probabilities of the classes; of a single class it has none.
    """
    has_classes = np.count_nonzero(images.class_counts) > 1
    table = images if has_classes else _turned(images, seed)
    network = _network(table.image_shape, len(table.class_names), seed)
    network.compile(
        FusedAdam(_LEARNING_RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
        steps_per_execution=10,
    )
    data = batches(
        table, batch_size=_BATCH, sampling="balanced", seed=seed, num_steps=_STEPS, augmentation=_AUGMENTATION
    )
    network.fit(data, epochs=1, shuffle=False, verbose=0, callbacks=[_Progress()])
    features = network.get_layer("features").output
    if not has_classes:
        return of_network("cnn_turns", keras.Model(network.input, features))
    return of_network("cnn", keras.Model(network.input, [features, layers.Softmax(dtype="float32")(network.output)]))


class _Progress(keras.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        progress.advance("train the feature extractor", batch + 1, _STEPS)


def _turned(images: ImageTable, seed: int) -> ImageTable:
    """Some of the images, each turned by 0, 1, 2 and 3 quarters, which are the classes."""
    rows = np.random.default_rng(seed).permutation(len(images))[:_TURNED_IMAGES]
    upright = np.asarray(images.images[np.sort(rows)])
    return ImageTable(
        images=np.concatenate([np.rot90(upright, turns, axes=(1, 2)) for turns in range(_TURNS)]),
        labels=np.repeat(np.arange(_TURNS, dtype=np.int32), len(upright)),
        ids=np.arange(_TURNS * len(upright)).astype(np.str_),
        class_names=tuple(f"{turns} quarters" for turns in range(_TURNS)),
    )


def _network(image_shape: ImageShape, num_classes: int, seed: int) -> keras.Model:
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
