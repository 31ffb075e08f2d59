"""From images to features in which distances mean likeness, and to class probabilities where there are any."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand import progress
from evenhand.data.decode import to_pixels
from evenhand.data.image_table import ImageTable
from evenhand.data.readable_images import ReadableImages
from evenhand.evaluation.generative_scores import Features

ImageShape = tuple[int, int, int]
Outputs = tuple[Any, Any | None]

_CHUNK = 256


class FeatureExtractor:
    """Images to features, a batch at a time.

    Args:
      name: names this very extractor: what it is, and a digest of its weights. Numbers that were measured on features
        of different names are never comparable.
      image_shape: height, width and channels of the images that it takes.
      outputs: float32[b, h, w, c] in 0..255 -> features float[b, d] and class probabilities float[b, k] or None.
      batch_size: most images in a batch.
      caution: a sentence on what its numbers must not be taken for, which comes with them; None for none.
    """

    def __init__(
        self,
        name: str,
        image_shape: ImageShape,
        outputs: Callable[[Any], Outputs],
        *,
        batch_size: int = 64,
        caution: str | None = None,
    ) -> None:
        self.name, self.image_shape, self.caution = name, image_shape, caution
        self._outputs, self._batch_size = outputs, batch_size

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32[n, d] of uint8[n, h, w, c]."""
        return self.with_probabilities(images)[0]

    def with_probabilities(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Features float32[n, d] of uint8[n, h, w, c], and class probabilities float32[n, k] where there are any."""
        starts = range(0, max(1, len(images)), self._batch_size)
        batches = (images[start : start + self._batch_size] for start in starts)
        features, probabilities = zip(*(self._outputs(batch.astype(np.float32)) for batch in batches), strict=True)
        return _joined(features), None if probabilities[0] is None else _joined(probabilities)


def _joined(parts: Iterable[Any]) -> NDArray[np.float32]:
    return np.concatenate([np.asarray(part, np.float32) for part in parts])


def of_network(
    kind: str, network: keras.Model, *, batch_size: int = 64, caution: str | None = None
) -> FeatureExtractor:
    """An extractor that is a Keras network, named by its kind and a digest of its weights.

    Args:
      kind: what it is, e.g. `cnn`.
      network: float32[n, h, w, c] in 0..255 -> [features] or [features, probabilities].
      batch_size: most images in a batch.
      caution: see `FeatureExtractor`.
    """
    _, height, width, channels = network.input_shape
    has_probabilities = len(network.outputs) > 1

    @tf.function(input_signature=[tf.TensorSpec([None, height, width, channels])], autograph=False)
    def outputs(images: Any) -> Outputs:
        found = network(images, training=False)
        return (found[0], found[1]) if has_probabilities else (found[0] if isinstance(found, list) else found, None)

    name = f"{kind}-{weights_digest(network.get_weights())}"
    return FeatureExtractor(name, (height, width, channels), outputs, batch_size=batch_size, caution=caution)


def weights_digest(weights: Iterable[NDArray[Any]]) -> str:
    """Eight hexadecimal digits over the values of all weights, in order."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()[:8]


def extract_features(
    extractor: FeatureExtractor,
    images: ImageTable | ReadableImages,
    *,
    labels: NDArray[np.int32] | None = None,
    with_probabilities: bool = True,
    task: str = "extract features",
) -> Features:
    """Features of all images, for `generative_scores`; pixels are held a chunk at a time, features once.

    Args:
      extractor: of the registry's kind `models.extractors`.
      images: a table, whose images are resized where the extractor takes others, or images read from a source.
      labels: int32[n], to use instead of the images' own, -1 for classes that the other side lacks; None keeps them.
      with_probabilities: whether class probabilities are kept too; only the Inception Score of synthetic images asks
        for them.
      task: what progress calls it.
    """
    shape, num_images, done = extractor.image_shape, len(images), 0
    chunks = table_chunks(images, shape) if isinstance(images, ImageTable) else images.chunks(shape)
    values, probabilities = np.empty((num_images, 0), np.float32), None
    for chunk in chunks:
        found, likely = extractor.with_probabilities(chunk)
        if not done:
            values = np.empty((num_images, found.shape[1]), np.float32)
            if with_probabilities and likely is not None:
                probabilities = np.empty((num_images, likely.shape[1]), np.float32)
        rows = slice(done, done + len(chunk))
        values[rows] = found
        if probabilities is not None:
            probabilities[rows] = likely
        done += len(chunk)
        progress.advance(task, done, num_images, "image")
    if not done:
        raise ValueError("there are no images to extract features of")
    return Features(
        values=values,
        labels=images.labels if labels is None else labels,
        extractor=extractor.name,
        probabilities=probabilities,
    )


def table_chunks(table: ImageTable, image_shape: ImageShape) -> Iterator[NDArray[np.uint8]]:
    """A table's images in order, uint8[b, *image_shape], resized by the package's one resize where they differ."""
    height, _, channels = image_shape
    for start in range(0, len(table), _CHUNK):
        chunk = np.asarray(table.images[start : start + _CHUNK])
        if chunk.shape[1:] != image_shape:
            chunk = np.stack([to_pixels(image, height, channels) for image in chunk])
        yield chunk
