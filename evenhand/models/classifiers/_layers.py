"""What the classifiers share: inputs for backbones, the last layer, seeds and weights files."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
from pydantic import Field

from evenhand.config import Section
from evenhand.errors import UserError

ImageShape = tuple[int, int, int]


class BackboneOptions(Section):
    """Options of a classifier whose backbone halves the image five times.

    Attributes:
      dropout: before the last layer.
      minimum_size: px; smaller images are enlarged to it inside the model.
    """

    dropout: float = Field(0.2, ge=0.0, lt=1.0)
    minimum_size: int = Field(32, ge=32, le=1024)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Makes every layer built inside draw its initial weights and its dropout noise from `seed`.

    Keras layers without a seed of their own take one from Python's generator, so that is seeded and then put back.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def for_backbone(images: keras.KerasTensor, minimum_size: int) -> keras.KerasTensor:
    """Makes images fit an RGB backbone: grey is repeated to three channels, small sides are enlarged bilinearly.

    Args:
      images: float32[n, h, w, 1 | 3].
      minimum_size: px; a side under it is enlarged to it.
    """
    _, height, width, channels = images.shape
    if channels == 1:
        images = keras.layers.Concatenate(name="grey_to_rgb")([images, images, images])
    if min(height, width) < minimum_size:
        size = (max(height, minimum_size), max(width, minimum_size))
        images = keras.layers.Resizing(*size, interpolation="bilinear", name="enlarge")(images)
    return images


def with_head(
    images: keras.KerasTensor, features: keras.KerasTensor, num_classes: int, dropout: float, name: str
) -> keras.Model:
    """The model from images to float32[n, num_classes] logits, by way of float[n, d] features."""
    features = keras.layers.Dropout(dropout, name="dropout")(features)
    # float32 under every precision policy: a softmax over half-precision logits loses rare classes.
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(features)
    return keras.Model(images, logits, name=name)


def set_batch_norm_momentum(model: keras.Model, momentum: float) -> None:
    """Sets how slowly the moving averages of every batch normalisation follow, also in nested models."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum


def with_imagenet(construct: Callable[[str | None], keras.Model], weights: str | None) -> keras.Model:
    """Calls `construct` with `"imagenet"` if that is asked for, else with None.

    Raises:
      UserError: if the ImageNet weights cannot be fetched.
    """
    if weights != "imagenet":
        return construct(None)
    try:
        return construct("imagenet")
    except OSError as error:
        raise UserError(
            "classifier.weights",
            f"the ImageNet weights could not be fetched ({error})",
            "check the network, or give the path of a local weights file",
        ) from error
    except Exception as error:
        # keras.utils.get_file raises a bare Exception when a download fails.
        if "fetch failure" not in str(error):
            raise
        raise UserError(
            "classifier.weights",
            f"the ImageNet weights could not be fetched ({error})",
            "check the network, or give the path of a local weights file",
        ) from error


def load_local(model: keras.Model, weights: str | None, backbone: keras.Model | None = None) -> None:
    """Loads a local weights file into the model; does nothing for None and `"imagenet"`.

    Args:
      model: the whole classifier, for `.weights.h5` and `.keras` files (only the weights of the latter are read).
      weights: the config's `classifier.weights`.
      backbone: the part that a Keras application's own file fits (`…_notop.h5`).

    Raises:
      UserError: if the file is missing or its weights have other shapes.
    """
    if weights in (None, "imagenet"):
        return
    path = Path(str(weights))
    if not path.is_file():
        raise UserError("classifier.weights", f"there is no file {path}", "use null, imagenet or a local weights file")
    if path.suffix not in (".h5", ".keras"):
        raise UserError("classifier.weights", f"{path.name} is neither .weights.h5, .keras nor .h5", "convert it")
    is_application = path.suffix == ".h5" and not path.name.endswith(".weights.h5")
    try:
        (backbone if is_application and backbone is not None else model).load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        problem = " ".join(str(error).split())[:200]
        raise UserError(
            "classifier.weights",
            f"{path.name} does not fit this classifier ({problem})",
            "use a file written for the same classifier, image size, channels and number of classes",
        ) from error
