"""Starts a pose generator from one that was trained on another data set."""

from __future__ import annotations

import json
import os
from typing import Any, Protocol

import keras
import tensorflow as tf

from evenhand.errors import UserError
from evenhand.models.generator_artifact import FILE_NAME, GeneratorCard

_WHERE = "generator.options.initial"
_INDEX, _KEY = "artifacts.json", "GeneratorTrainer/generator"


class TakesOver(Protocol):
    """A generator whose weights can come from elsewhere."""

    image_shape: tuple[int, int, int]
    transferable_weights: list[keras.Variable]


def load_initial(model: TakesOver, folder: str) -> None:
    """Sets `model.transferable_weights` to those of a saved generator.

    Args:
      model: untrained.
      folder: of a generator, or of a run that made one.

    Raises:
      UserError: if there is none, or it was trained with labels, other networks or images of another shape.
    """
    artifact = _artifact(folder)
    card = GeneratorCard.read(artifact)
    if card.options.get("labels", True):
        raise UserError(
            _WHERE, f"the generator in {folder} draws classes, not poses alone", "train one with labels: false"
        )
    if card.image_shape != model.image_shape:
        sizes = " and ".join("x".join(map(str, shape)) for shape in (card.image_shape, model.image_shape))
        raise UserError(_WHERE, f"its images and those here are {sizes}", "set data.image_size and data.channels alike")
    values = _saved_values(artifact)
    weights = model.transferable_weights
    if [tuple(value.shape) for value in values] != [tuple(weight.shape) for weight in weights]:
        raise UserError(_WHERE, f"the generator in {folder} has other networks", "set the other options as there")
    for weight, value in zip(weights, values, strict=True):
        weight.assign(value)


def initial_digest(folder: str) -> str:
    """Digest of the saved generator's weights.

    Raises:
      UserError: if there is none.
    """
    return GeneratorCard.read(_artifact(folder)).weights_sha256


def _artifact(folder: str) -> str:
    """The generator's own folder, also where a run's is given."""
    index = os.path.join(folder, _INDEX)
    if os.path.exists(os.path.join(folder, FILE_NAME)) or not os.path.isfile(index):
        return folder
    try:
        with open(index, encoding="utf-8") as file:
            return os.path.join(folder, json.load(file).get(_KEY, ""))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UserError(_WHERE, f"{index} is no list of a run's artifacts", "name the folder of a whole run") from error


def _saved_values(artifact: str) -> list[Any]:
    try:
        loaded = tf.saved_model.load(artifact)
    except OSError as error:
        raise UserError(_WHERE, f"the generator in {artifact} cannot be read", "name a whole one") from error
    return [variable.numpy() for variable in getattr(loaded, "transferable", [])]
