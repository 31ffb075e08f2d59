"""What judges of `spade` make of a batch of synthetic and real images of the same poses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from evenhand.data.pose import NUM_KEYPOINTS
from evenhand.data.pose_maps import num_channels
from evenhand.data.pose_variation import distances, normalized
from evenhand.models.generators._spade_options import Options
from evenhand.models.losses import d2d_cross_entropy, data_to_data
from evenhand.models.networks import spade_judges
from evenhand.models.networks.spectral_norm import class_proxies
from evenhand.models.training.conditional_generator import Batch
from evenhand.models.training.differentiable_augmentation import Policy, augment

Tensor = Any

_FAR_POSES = 0.25
"""Hands whose poses are further apart than that, in sizes of a hand, should not look alike."""


class Pair(NamedTuple):
    """The same of real and of synthetic images."""

    real: Any
    synthetic: Any


class Judged(NamedTuple):
    """What the judges say.

    Attributes:
      scores: of each judge, positive for real.
      features: lists of the layers of each patch judge.
      embeddings: float32[n, d]; None without the judge that has one.
    """

    scores: list[Pair]
    features: Pair
    embeddings: Pair | None


class Judges(keras.layers.Layer):
    """All judges: of patches at several scales and, for `d2d_ce`, the one with the embedding and its proxies.

    Args:
      options: of the generator.
      image_shape: height, width, channels.
      num_classes: classes.
      seeds: for the initialisers.
    """

    def __init__(
        self, options: Options, image_shape: tuple[int, int, int], num_classes: int, seeds: Iterator[int]
    ) -> None:
        super().__init__(name="judges")
        self.options = options
        channels = num_channels(bones=options.bones)
        self.patch_judges = [
            spade_judges.patch_judge(
                shape,
                channels,
                num_classes=num_classes if options.labels else 0,
                width=options.discriminator_width,
                num_layers=options.layers_for(image_shape),
                seeds=seeds,
            )
            for shape in _scaled(image_shape, options.scales)
        ]
        self.pose_judge: Any = None
        self.proxies: Any = None
        if self.has_embedding:
            size = options.embedding_size
            self.pose_judge = spade_judges.pose_judge(
                image_shape, channels, width=options.discriminator_width, embedding_size=size, seeds=seeds
            )
            if options.labels:
                self.proxies = class_proxies(num_classes, size, next(seeds))
            else:
                self.proxies = spade_judges.proxy_network(2 * NUM_KEYPOINTS, size, seeds)
        self.built = True

    @property
    def has_embedding(self) -> bool:
        """Whether the judge with the embedding is among them."""
        return self.options.discriminator_loss == "d2d_ce"

    def judge(self, synthetic: Tensor, batch: Batch, maps: Tensor, seed: Tensor) -> Judged:
        """Judges synthetic images beside the real ones of the same poses, all moved alike by the augmentation.

        Args:
          synthetic: float32[n, h, w, c].
          batch: the real images, with their labels.
          maps: float32[n, h, w, m], poses of both.
          seed: int32[2], of the augmentation.
        """
        synthetic, real, maps = augment_alike([synthetic, batch.images], maps, self.options.augmentation, seed)
        images, maps = ops.concatenate([synthetic, real]), ops.concatenate([maps, maps])
        labels = [ops.concatenate([batch.labels, batch.labels])] if self.options.labels else []
        scores, features = [], []
        both = ops.concatenate([images, maps], axis=-1)
        for scale, judge in enumerate(self.patch_judges):
            if scale:
                both = ops.average_pool(both, 3, 2, padding="same")
            *layers, patches = judge([both, *labels], training=True)
            scores.append(_halves(patches))
            features.append([_halves(layer) for layer in layers])
        embeddings = None
        if self.pose_judge is not None:
            score, embedding = self.pose_judge([images, maps], training=True)
            scores.append(_halves(score))
            embeddings = _halves(embedding)
        pairs = Pair(*([[half[side] for half in layers] for layers in features] for side in (0, 1)))
        return Judged(scores, pairs, embeddings)

    def cross_entropy(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """The data-to-data cross-entropy of embeddings of images that have the labels and poses of `batch`."""
        options = self.options
        settings: dict[str, Any] = {
            "temperature": options.temperature,
            "positive_margin": options.positive_margin,
            "negative_margin": 1.0 - options.positive_margin,
        }
        if options.labels:
            proxies = self.proxies(ops.arange(self.proxies.input_dim), training=True)
            return d2d_cross_entropy(embeddings, proxies, batch.labels, **settings)
        proxies = self.proxies(tf.reshape(normalized(batch.keypoints), (-1, 2 * NUM_KEYPOINTS)))
        return data_to_data(embeddings, proxies, distances(batch.keypoints) > _FAR_POSES, **settings)


def _halves(both: Tensor) -> Pair:
    """Real ones come second."""
    synthetic, real = ops.split(both, 2)
    return Pair(real, synthetic)


def _scaled(image_shape: tuple[int, int, int], scales: int) -> list[tuple[int, int, int]]:
    height, width, channels = image_shape
    return [(-(-height // 2**scale), -(-width // 2**scale), channels) for scale in range(scales)]


def augment_alike(images: list[Tensor], maps: Tensor, policy: Policy, seed: Tensor) -> list[Tensor]:
    """Moves several images of a pose and the pose's map by the same random numbers; colours of the images only.

    Args:
      images: each float[n, h, w, c].
      maps: float[n, h, w, m].
      policy: of `differentiable_augmentation`.
      seed: int32[2].

    Returns:
      The images, then the maps.
    """
    colours: Policy = tuple(change for change in policy if change == "color")
    moves: Policy = tuple(change for change in policy if change != "color")
    parts = [*(augment(image, colours, seed) for image in images), maps]
    together = augment(ops.concatenate(parts, axis=-1), moves, seed)
    sizes = [part.shape[-1] for part in parts]
    return ops.split(together, [sum(sizes[: index + 1]) for index in range(len(sizes) - 1)], axis=-1)
