"""The small convolutional network of S3: four convolutions and one hidden layer.

C32-ReLU-BN-C32-ReLU-MP2-C48-ReLU-C64-ReLU-MP2-Dense128-ReLU-Dense, all convolutions 3x3: 454,042 parameters at
28x28x1 with 10 classes. It gives logits, where the paper's code puts a softmax before a loss that takes another one.
Batch normalisation has a momentum of 0.9, as there. Pixels are scaled to [-1, 1] inside; every size from 8 px is taken
as it is.
"""

from __future__ import annotations

import keras
from keras import layers
from pydantic import Field

from evenhand.config import Section
from evenhand.errors import UserError
from evenhand.models.classifiers import _layers


class Options(Section):
    """Options of the classifier.

    Attributes:
      dropout: before the last layer; the paper has none.
    """

    dropout: float = Field(0.0, ge=0.0, lt=1.0)


def check_weights(weights: str | None) -> None:
    """Raises `UserError` for weights that this classifier cannot have."""
    if weights == "imagenet":
        raise UserError(
            "classifier.weights", "there are no ImageNet weights of cnn", "use null or a local weights file"
        )


def build(
    options: Options,
    *,
    variant: str | None,
    image_shape: _layers.ImageShape,
    num_classes: int,
    weights: str | None,
    seed: int,
) -> keras.Model:
    """Builds the network.

    Args:
      options: dropout.
      variant: None, there is one size.
      image_shape: height, width, channels.
      num_classes: outputs.
      weights: None for random ones, or a local weights file.
      seed: of the random ones and of dropout.

    Returns:
      float32[n, h, w, c] in 0..255 -> float32[n, num_classes] logits.

    Raises:
      UserError: if the weights are missing, or made for another network.
    """
    del variant
    check_weights(weights)
    with _layers.seeded(seed):
        images = keras.Input(image_shape, name="images")
        x = layers.Rescaling(1 / 127.5, offset=-1.0)(images)
        x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Conv2D(48, 3, padding="same", activation="relu")(x)
        x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dense(128, activation="relu")(layers.Flatten()(x))
        model = _layers.with_head(images, x, num_classes, options.dropout, "cnn_classifier")
    _layers.load_local(model, weights)
    return model
