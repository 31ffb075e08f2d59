"""A classifier that evenhand trained: what its last layer reads, and its class probabilities.

In a run it is the baseline's, which saw real images only. Of the model's files only the weights are read; the network
is built anew from the description beside them, and no code in a file is run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import keras
from pydantic import Field, ValidationError

from evenhand.config import Classifier, Section
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models.feature_extractor import FeatureExtractor, ImageShape, of_network
from evenhand.models.serving import DESCRIPTION_FILE
from evenhand.models.train_classifier import load_base
from evenhand.models.training.classification import build_network


class Options(Section):
    """Options of `classifier`.

    Attributes:
      path: a model folder of evenhand, with `model.json` and `model.keras`: what a Trainer of a run wrote, or what a
        run pushed.
    """

    path: str = Field(min_length=1)


def build(
    options: Options, training_images: Callable[[], ImageTable], *, image_shape: ImageShape, seed: int
) -> FeatureExtractor:
    """Builds the network and reads its weights; `training_images`, `image_shape` and `seed` play no part.

    Raises:
      UserError: if the folder holds no such model.
    """
    del training_images, image_shape, seed
    folder = Path(options.path)
    try:
        description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        height, width, channels = description["image_shape"]
        num_classes = len(description["class_names"])
        # The file's weights follow: what they once started from need not be there any more.
        classifier = Classifier.model_validate(description["classifier"]).model_copy(update={"weights": None})
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise UserError(
            str(folder), "holds no classifier that evenhand wrote", "give a model folder with model.json in it"
        ) from error
    network = build_network(classifier, (height, width, channels), num_classes, seed=0)
    load_base(network, folder)
    last = network.layers[-1]
    probabilities = keras.layers.Softmax(dtype="float32")(network.output)
    # Dropout, which stands before the last layer, does nothing here.
    return of_network(f"classifier_{classifier.name}", keras.Model(network.input, [last.input, probabilities]))
