"""Writes a trained classifier as a SavedModel that takes image files of any size, and reads it back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models.serving_images import decode_example_image, decode_image_file
from evenhand.models.train_classifier import MODEL_FILE, ClassifierRun
from evenhand.models.training.classification import PREDICTION_BATCH, SharedClassifier

DESCRIPTION_FILE = "model.json"


class _Serving(tf.Module):
    """The SavedModel's two signatures and its function of pixels, all of them calls of one traced network.

    It holds the network's variables and not its layers: walking a tree of hundreds of Keras layers is what makes
    saving slow. The variables belong to the shared network, so the module is built once and saved with whatever
    weights they hold.
    """

    def __init__(self, shared: SharedClassifier, class_names: tuple[str, ...]) -> None:
        super().__init__(name="classifier")
        self.network_variables = [variable.value for variable in shared.network.variables]
        height, width, channels = shared.image_shape
        network = shared.probabilities.get_concrete_function()
        names = tf.constant(class_names)

        def decoded(decode: Any, encoded: Any) -> Any:
            spec = tf.TensorSpec(shared.image_shape, tf.float32)
            return tf.map_fn(lambda one: decode(one, height, width, channels), encoded, fn_output_signature=spec)

        def predict_files(image_bytes: Any) -> dict[str, Any]:
            probabilities = network(decoded(decode_image_file, image_bytes))
            chosen = tf.argmax(probabilities, axis=1)
            return {
                "probabilities": probabilities,
                "class_index": chosen,
                "class_name": tf.gather(names, chosen),
            }

        def predict_examples(examples: Any) -> dict[str, Any]:
            features = tf.io.parse_example(examples, {"image/encoded": tf.io.FixedLenFeature([], tf.string)})
            return {"probabilities": network(decoded(decode_example_image, features["image/encoded"]))}

        def predict_pixels(pixels: Any) -> dict[str, Any]:
            return {"probabilities": network(tf.cast(pixels, tf.float32))}

        self.predict_files = tf.function(
            predict_files, input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")], autograph=False
        )
        self.predict_examples = tf.function(
            predict_examples, input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False
        )
        self.predict_pixels = tf.function(
            predict_pixels, input_signature=[tf.TensorSpec([None, *shared.image_shape], tf.uint8)], autograph=False
        )


@lru_cache(maxsize=2)  # as many as there are shared networks
def _serving(shared: SharedClassifier, class_names: tuple[str, ...]) -> _Serving:
    return _Serving(shared, class_names)


def export_classifier(run: ClassifierRun, folder: Path) -> None:
    """Writes a finished classifier for serving and evaluation.

    Signatures: `serving_default` takes `image_bytes` string[n] (PNG, JPEG, GIF, BMP or WebP of any size) and gives
    `probabilities` float32[n, c], `class_index` int64[n] and `class_name` string[n]; `examples` takes serialized
    tf.Examples, string[n], and gives `probabilities`.

    Args:
      run: from `train_classifier`.
      folder: becomes the SavedModel, with `model.keras` and `model.json` (class names and image shape) in it.
    """
    shared = run.loaded()
    module = _serving(shared, run.class_names)
    signatures = {"serving_default": module.predict_files, "examples": module.predict_examples}
    # Nobody trains the SavedModel on, and tracing its activations' gradients would take half the time of saving.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(folder), signatures=signatures, options=options)
    save_phase(run, folder)


def save_phase(run: ClassifierRun, folder: Path) -> None:
    """Writes what the next phase starts from: `model.keras` and `model.json`, no SavedModel.

    Args:
      run: from `train_classifier`.
      folder: made when absent.
    """
    shared = run.loaded()
    folder.mkdir(parents=True, exist_ok=True)
    shared.network.save(folder / MODEL_FILE)
    description = {
        "class_names": run.class_names,
        "image_shape": shared.image_shape,
        "classifier": shared.classifier.model_dump(mode="json"),
        "device": run.device,
    }
    (folder / DESCRIPTION_FILE).write_text(json.dumps(description, indent=1), encoding="utf-8")


@dataclass(frozen=True)
class LoadedClassifier:
    """A classifier read from its SavedModel; none of the code that trained it is needed.

    Attributes:
      class_names: names of the classes; column c of the probabilities belongs to class c.
      image_shape: height, width and channels that the network sees.
      saved: the SavedModel.
    """

    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    saved: Any

    def predict_bytes(self, files: Sequence[bytes]) -> NDArray[np.float32]:
        """Class probabilities of encoded images.

        Args:
          files: contents of PNG, JPEG, GIF, BMP or WebP files of any size.

        Returns:
          float32[n, c].

        Raises:
          ValueError: if one of them cannot be decoded.
        """
        parts = []
        for start in range(0, len(files), PREDICTION_BATCH):
            try:
                part = self.saved.predict_files(tf.constant(list(files[start : start + PREDICTION_BATCH])))
            except tf.errors.InvalidArgumentError as error:
                raise ValueError(f"an image cannot be decoded: {error.message[:200]}") from error
            parts.append(part["probabilities"].numpy())
        return self._joined(parts)

    def predict_table(self, table: ImageTable) -> NDArray[np.float32]:
        """Class probabilities of every row, float32[n, c]."""
        return self._joined(
            [
                self.saved.predict_pixels(tf.constant(table.images[start : start + PREDICTION_BATCH]))[
                    "probabilities"
                ].numpy()
                for start in range(0, len(table), PREDICTION_BATCH)
            ]
        )

    def _joined(self, parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.concatenate([np.zeros((0, len(self.class_names)), np.float32), *parts])


def load_classifier(folder: str | Path) -> LoadedClassifier:
    """Reads what `export_classifier` wrote.

    Args:
      folder: the SavedModel.

    Raises:
      UserError: if there is no such model.
    """
    try:
        description = json.loads((Path(folder) / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        saved = tf.saved_model.load(str(folder))
        saved.predict_files, saved.predict_pixels  # noqa: B018 - a phase's folder has neither
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            str(folder), "holds no classifier that evenhand exported", "give a run's folder or its model folder"
        ) from error
    return LoadedClassifier(tuple(description["class_names"]), tuple(description["image_shape"]), saved)
