"""Strategies that scikit-learn fits on features instead of a network on images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenhand import registry
from evenhand.config import Classifier, Strategy
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models.feature_extractor import of_network, table_chunks
from evenhand.models.serving import DESCRIPTION_FILE
from evenhand.models.strategies._options import strategy_options
from evenhand.models.train_classifier import load_base
from evenhand.models.training.classification import build_network
from evenhand.models.training.head import features_of

Predict = Callable[[ImageTable], NDArray[np.float32]]


def fit_classical(strategy: Strategy, train: ImageTable, *, seed: int, network: Path | None = None) -> Predict:
    """Fits a classical strategy.

    Args:
      strategy: `smote_svm`, `resnet_rf` or a module of the user's own that offers `fit`.
      train: the real training images.
      seed: of all that is random.
      network: folder of the classifier that the strategy's phases trained; None takes pixels as features.

    Returns:
      Images -> float32[n, c], class probabilities; 0 for a class without training images.

    Raises:
      UserError: if the options are wrong, or only one class has images.
    """
    module = registry.load("models.strategies", strategy.name)
    options = strategy_options(strategy.name, strategy.options, f"strategies.{strategy.name}.options")
    if (train.class_counts > 0).sum() < 2:
        raise UserError("data", f"{strategy.name} needs images of two classes at least", "add images")
    # A module of the user's own may have no option for it.
    features = _pixels(getattr(options, "size", None)) if network is None else _network_features(network)
    classes, predict = module.fit(options, features(train), train.labels, seed=seed)

    def probabilities(images: ImageTable) -> NDArray[np.float32]:
        found = np.zeros((len(images), len(train.class_names)), np.float32)
        if len(images):
            found[:, classes] = predict(features(images))
        return found

    return probabilities


def _pixels(size: int | None) -> Predict:
    """Images -> float32[n, d], their pixels in 0..1, reduced to `size` px where they are larger; None reduces none."""

    def pixels(images: ImageTable) -> NDArray[np.float32]:
        side = images.image_shape[0] if size is None else min(size, images.image_shape[0])
        shape = (side, side, images.image_shape[2])
        found = np.empty((len(images), int(np.prod(shape))), np.float32)
        row = 0
        for chunk in table_chunks(images, shape):
            found[row : row + len(chunk)] = chunk.reshape(len(chunk), -1) / np.float32(255.0)
            row += len(chunk)
        return found

    return pixels


def _network_features(folder: Path) -> Predict:
    """Images -> float32[n, d], what the last layer of a trained classifier takes."""
    description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    # Its weights are replaced at once, so that none need be fetched.
    classifier = Classifier.model_validate(description["classifier"]).model_copy(update={"weights": None})
    shape = tuple(description["image_shape"])
    network = build_network(classifier, shape, len(description["class_names"]), seed=0)
    load_base(network, folder)
    extractor = of_network(classifier.name, features_of(network))
    return lambda images: np.concatenate([extractor(chunk) for chunk in table_chunks(images, shape)])
