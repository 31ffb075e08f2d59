"""InceptionV3 of Keras applications with its ImageNet weights; not the network of the published FID.

Images are brought to 299 x 299 pixels in RGB by the package's one resize (Pillow bilinear), scaled to [-1, 1], and
their features are the 2,048 averages before the last layer (Szegedy et al. 2016). FID, KID and the Inception Score were
published with a TensorFlow 1 network of 2015, of other weights and 1,008 outputs, whose last blocks pool otherwise and
which resizes by another bilinear: those numbers and these are of the same order, and never comparable. The weights are
never downloaded: they are Keras' own files, in its cache or where `weights` says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from evenhand.config import Section
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models.feature_extractor import FeatureExtractor, ImageShape, of_network
from evenhand.models.inception_weights import known_weights

IMAGE_SIZE = 299

CAUTION = (
    "the features are those of Keras' InceptionV3, not of the network of the published FID, KID and Inception Score: "
    "compare these scores with others of this very extractor, never with those of papers or of other programs."
)


class Options(Section):
    """Options of `inception`.

    Attributes:
      weights: Keras' weights file of InceptionV3, with its last layer (which the Inception Score needs) or without
        (`…_notop.h5`); None looks into Keras' cache.
    """

    weights: str | None = None


def build(
    options: Options, training_images: Callable[[], ImageTable], *, image_shape: ImageShape, seed: int
) -> FeatureExtractor:
    """Reads the weights; `training_images`, `image_shape` and `seed` play no part.

    Raises:
      UserError: if there are no weights, or they are of another network.
    """
    del training_images, image_shape, seed
    weights = known_weights() if options.weights is None else Path(options.weights)
    if not weights.is_file():
        raise UserError(str(weights), "there is no such weights file", "give Keras' weights file of InceptionV3")
    return of_network(f"inception_v3_keras_{IMAGE_SIZE}px", _network(weights), batch_size=32, caution=CAUTION)


def _network(weights: Path) -> keras.Model:
    has_top = "notop" not in weights.name
    shape = (IMAGE_SIZE, IMAGE_SIZE, 3)
    try:
        network = keras.applications.InceptionV3(include_top=has_top, weights=weights, input_shape=shape, pooling="avg")
    except (OSError, ValueError, KeyError) as error:
        problem = " ".join(str(error).split())[:200]
        raise UserError(
            str(weights),
            f"does not fit InceptionV3 ({problem})",
            "give Keras' own file; one without the last layer must have `notop` in its name",
        ) from error
    outputs = [network.get_layer("avg_pool").output, network.output] if has_top else network.output
    images = keras.Input(shape)
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    return keras.Model(images, keras.Model(network.input, outputs)(scaled))
