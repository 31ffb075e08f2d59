"""Any model of the user's own that makes features of images: a `.keras` file or a SavedModel.

It takes images [n, h, w, c] in 0..255, float32 or uint8, and gives features [n, d]; of several outputs those named
`features` and, for the Inception Score, `probabilities` are taken. A SavedModel is called by its `serving_default`.
Loading a model runs what its graph holds: name only models that you trust. Python code in a `.keras` file is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from pydantic import Field

from evenhand.config import Section
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models.feature_extractor import FeatureExtractor, ImageShape, Outputs
from evenhand.models.files_digest import files_digest


class Options(Section):
    """Options of `saved_model`.

    Attributes:
      path: a `.keras` file, or the folder of a SavedModel.
    """

    path: str = Field(min_length=1)


def build(
    options: Options, training_images: Callable[[], ImageTable], *, image_shape: ImageShape, seed: int
) -> FeatureExtractor:
    """Loads the model.

    Args:
      options: where it lies.
      training_images: not used.
      image_shape: used for what the model itself leaves open.
      seed: not used.

    Raises:
      UserError: if there is no such model, or it does not make features of images.
    """
    del training_images, seed
    path = Path(options.path)
    call, shape, dtype = _keras_file(path) if path.is_file() else _saved_model(path)
    if shape is None or len(shape) != 4 or shape[3] not in (None, 1, 3):
        raise _misfit(path, f"takes {shape}, not images [n, h, w, 1 | 3]")
    height, width, channels = (own or default for own, default in zip(shape[1:], image_shape, strict=True))
    if height != width:
        raise _misfit(path, f"takes images of {width} x {height} pixels, and images here are square")

    def outputs(images: Any) -> Outputs:
        return _outputs(call(tf.cast(images, dtype)), path)

    extractor = FeatureExtractor(f"{path.stem}-{files_digest(path)}", (height, width, channels), outputs)
    try:
        extractor.with_probabilities(tf.zeros((2, height, width, channels)).numpy())
    except (ValueError, TypeError, tf.errors.OpError) as error:
        problem = " ".join(str(error).split())[:200]
        raise _misfit(path, f"cannot be called with images [n, {height}, {width}, {channels}] ({problem})") from error
    return extractor


def _misfit(path: Path, problem: str) -> UserError:
    return UserError(str(path), problem, "give a model from images in 0..255 to features [n, d]")


def _keras_file(path: Path) -> tuple[Callable[[Any], Any], Any, Any]:
    try:
        network = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        problem = " ".join(str(error).split())[:200]
        raise UserError(str(path), f"cannot be loaded as a Keras model ({problem})", "save it as .keras") from error
    shape = network.input_shape if isinstance(network, keras.Model) else None
    return (lambda images: network(images, training=False)), shape, tf.float32


def _saved_model(path: Path) -> tuple[Callable[[Any], Any], Any, Any]:
    try:
        loaded = tf.saved_model.load(str(path))
        signature = loaded.signatures["serving_default"]
    except (OSError, ValueError, KeyError, AttributeError, tf.errors.OpError) as error:
        raise UserError(
            str(path), "is no SavedModel with the signature serving_default", "give a .keras file or a SavedModel"
        ) from error
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise _misfit(path, f"takes {len(inputs)} inputs, not one")
    ((key, spec),) = inputs.items()
    if spec.dtype not in (tf.float32, tf.uint8):
        raise _misfit(path, f"takes {spec.dtype.name}, not float32 or uint8 pixels")
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())

    def call(images: Any, _keep: Any = loaded) -> Any:
        # A signature lives only as long as the model it belongs to.
        return signature(**{key: images})

    return call, shape, spec.dtype


def _outputs(found: Any, path: Path) -> Outputs:
    probabilities = None
    if isinstance(found, Mapping):
        probabilities = found.get("probabilities")
        others = [name for name in found if name != "probabilities"]
        if "features" not in found and len(others) != 1:
            raise _misfit(path, f"has the outputs {', '.join(found)}, and none is called features")
        found = found["features" if "features" in found else others[0]]
    elif isinstance(found, (list, tuple)):
        raise _misfit(path, f"has {len(found)} outputs without names")
    if len(found.shape) != 2:
        raise _misfit(path, f"gives {tuple(found.shape)}, not features [n, d]")
    return found, probabilities
