"""SPADE: a generator that draws a hand from its pose, and so can draw a rare sign in new poses.

Paper: "Bringing Balance to Hand Shape Classification: Mitigating Data Imbalance Through Generative Models" (S1), the
pose-conditioned generator; Park et al., Semantic Image Synthesis with Spatially-Adaptive Normalization (SPADE), 2019,
with its code (NVlabs/SPADE). It needs `data.keypoints`.

The pose, 21 key points as maps, sets gain and bias of each normalisation at each place (SPADE, equation 1; see
`SpatialNormalization`). Judges of patches at several scales see image and pose beside each other. With scores D of real
x and synthetic G(z, p) of the same pose p the judges minimise `E[relu(1 - D(x, p))] + E[relu(1 + D(G(z, p), p))]`, the
generator `-E[D(G(z, p), p)] + w_f FM + w_p VGG`: the hinge loss, feature matching with the real image of that pose, and
the perceptual loss where VGG19's weights are given. Means are over patches, then over judges.

Ours, since data are few and SPADE ignores z: latent and, with `labels`, the class set a gain and a bias of their own
beside the pose's; judges see image and pose moved alike at random (colours of the image only); a running average draws.

`discriminator_loss: d2d_ce` adds what S1 asks for as an open question, ReACGAN's loss on SPADE: one more judge,
whose embedding sees the image alone (it could read the class off the pose), with the data-to-data cross-entropy of
that embedding. With `labels` each class has a proxy, in a table that is spectrally normalised; without, the proxy is a
function of the pose, and two images repel each other where their poses are more than a quarter of a hand apart. With
`d2d_weight: 0` that judge scores images and poses only: what a comparison of the loss itself is to be held against.

Weights start orthogonal, as in ReACGAN, where SPADE's code takes Xavier's with a gain of 0.02.

A sample takes a training pose of its class, or what lies between two, with jitter; the poses are kept in the model.
`sample_poses` draws given poses. For S1's use across data sets: train with `labels: false` on a large set, then name
that generator in `initial` for a small one, whose poses are drawn by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from evenhand.data.fingerprint import of_files
from evenhand.data.image_table import ImageTable
from evenhand.data.pose_maps import num_channels, pose_maps
from evenhand.models.banks.pose_bank import DRAWN_SIZE, PoseBank
from evenhand.models.generators._initial_weights import initial_digest, load_initial
from evenhand.models.generators._perceptual import PerceptualDistance, check_weights
from evenhand.models.generators._spade_judging import Judged, Judges
from evenhand.models.generators._spade_losses import feature_matching
from evenhand.models.generators._spade_options import Options
from evenhand.models.losses import (
    ACCURACY_METRICS,
    discriminator_accuracy,
    hinge_discriminator,
    hinge_generator,
)
from evenhand.models.networks import seeded
from evenhand.models.networks.spade import generator_network
from evenhand.models.training.average import WeightAverage
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from evenhand.models.training.fused_adam import FusedAdam
from evenhand.models.training.update import Update

Tensor = Any

DISCRIMINATOR, GENERATOR = "discriminator", "generator"
D2D = "d2d"
NEEDS_KEYPOINTS = True
"""That a run with this generator needs `data.keypoints`, for whoever looks before anything is built."""

_AUGMENTATION = 1


class SPADE(ConditionalGenerator):
    """The generator that `options` describe; see the module.

    Args:
      options: of the generator.
      images: training images with key points.
      seed: of initial weights, latents and augmentation.

    Raises:
      UserError: if key points are missing, or `initial` or the perceptual weights cannot be used.
    """

    uses_keypoints = True

    def __init__(self, options: Options, images: ImageTable, *, seed: int) -> None:
        super().__init__(image_shape=images.image_shape, num_classes=len(images.class_names), seed=seed)
        self.options = options
        self.bank = PoseBank(images)
        seeds = seeded.layer_seeds(seed)
        self.generator = generator_network(
            images.image_shape,
            num_channels(bones=options.bones),
            latent_size=options.latent_size,
            num_classes=self.num_classes if options.labels else 0,
            width=options.width,
            hidden=options.hidden,
            kind=options.normalization,
            seeds=seeds,
        )
        self.average = WeightAverage(self.generator, options.average_decay)
        self.judges = Judges(options, images.image_shape, self.num_classes, seeds)
        weights = options.perceptual_weights
        self._perceptual = None if weights is None else PerceptualDistance(weights)
        if options.initial is not None:
            load_initial(self, options.initial)
            self.generator.set_weights(self.average.network.get_weights())
        self.set_updates(self._planned_updates())

    def _planned_updates(self) -> tuple[Update, ...]:
        options = self.options
        if options.initial is not None and not options.fine_tune:
            return ()
        d2d = (D2D,) if self.judges.has_embedding else ()
        perceptual = ("perceptual",) if self._perceptual is not None else ()
        return (
            Update(
                DISCRIMINATOR,
                (self.judges,),
                self._adam(options.discriminator_learning_rate),
                metrics=(*ACCURACY_METRICS, *d2d),
            ),
            Update(
                GENERATOR,
                (self.generator,),
                self._adam(options.learning_rate),
                metrics=("feature_matching", *perceptual),
            ),
        )

    def _adam(self, learning_rate: float) -> keras.optimizers.Optimizer:
        # PyTorch's epsilon.
        return FusedAdam(learning_rate, self.options.beta_1, self.options.beta_2, epsilon=1e-8)

    @property
    def transferable_weights(self) -> list[keras.Variable]:
        """What `initial` takes over: the weights that draw, then those of the judges."""
        return [*self.average.network.weights, *self.judges.weights]

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The hinge losses, with feature matching and whatever else the options ask for."""
        maps = self._maps(batch.keypoints)
        latents = seeded.latents_for_batch(self.options.latent_size, batch.labels, seed)
        images = self._paint(self.generator, latents, maps, batch.labels, training=True)
        own_seed = tf.random.experimental.stateless_fold_in(seed, _AUGMENTATION)
        judged = self.judges.judge(images, batch, maps, own_seed)
        if update.name == DISCRIMINATOR:
            return self._judges_loss(judged, batch)
        return self._generator_loss(judged, images, batch)

    def _judges_loss(self, judged: Judged, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        loss = _mean([hinge_discriminator(score.real, score.synthetic) for score in judged.scores])
        real, synthetic = (ops.concatenate([ops.ravel(pair[side]) for pair in judged.scores]) for side in (0, 1))
        metrics = discriminator_accuracy(real, synthetic)
        if judged.embeddings is not None:
            metrics[D2D] = self.judges.cross_entropy(judged.embeddings.real, batch)
            loss = loss + self.options.d2d_weight * metrics[D2D]
        return loss, metrics

    def _generator_loss(self, judged: Judged, images: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        options = self.options
        loss = _mean([hinge_generator(score.synthetic) for score in judged.scores])
        metrics = {"feature_matching": feature_matching(judged.features.synthetic, judged.features.real)}
        loss = loss + options.feature_matching * metrics["feature_matching"]
        if self._perceptual is not None:
            metrics["perceptual"] = self._perceptual(images, batch.images)
            loss = loss + options.perceptual * metrics["perceptual"]
        if judged.embeddings is not None:
            loss = loss + options.d2d_weight * self.judges.cross_entropy(judged.embeddings.synthetic, batch)
        return loss, metrics

    def _maps(self, keypoints: Tensor) -> Tensor:
        height, width, _ = self.image_shape
        return pose_maps(keypoints, height, width, mark=self.options.mark, bones=self.options.bones)

    def _paint(self, network: keras.Model, latents: Tensor, maps: Tensor, labels: Tensor, *, training: bool) -> Tensor:
        return network([latents, maps, labels] if self.options.labels else [latents, maps], training=training)

    def after_step(self) -> None:
        """Moves the running average."""
        self.average.follow(self.generator, self.step)

    def sample(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """Draws poses of each class: float32[n, h, w, c] in [-1, 1] of labels int32[n] and seeds int64[n]."""
        size = self.options.latent_size
        noise = seeded.latents_for_seeds(seeds, size + DRAWN_SIZE)
        poses = self.bank.draw(
            labels, noise[:, size:], interpolates=self.options.interpolation, strength=self.options.jitter
        )
        return self._paint(self.average.network, noise[:, :size], self._maps(poses), labels, training=False)

    def sample_poses(self, keypoints: Tensor, labels: Tensor, seeds: Tensor) -> Tensor:
        """Draws given poses.

        Args:
          keypoints: float32[n, 21, 3].
          labels: int32[n]; without effect under `labels: false`.
          seeds: int64[n].

        Returns:
          float32[n, h, w, c] in [-1, 1]; each depends on its own pose, label and seed alone.
        """
        latents = seeded.latents_for_seeds(seeds, self.options.latent_size)
        return self._paint(self.average.network, latents, self._maps(keypoints), labels, training=False)


def _mean(losses: list[Tensor]) -> Tensor:
    return sum(losses) / len(losses)


def build(options: Options, images: ImageTable, *, seed: int) -> SPADE:
    """The untrained model, or the one that `initial` names with this data set's poses.

    Args:
      options: of this generator.
      images: the training images, for their shape, classes and poses.
      seed: of initial weights, latents and augmentation.

    Raises:
      UserError: if key points are missing, or `initial` or the perceptual weights cannot be used.
    """
    return SPADE(options, images, seed=seed)


def fingerprint(options: Options) -> str:
    """Digest of the files that the options name; empty if they name none.

    Raises:
      UserError: if one of them is not there.
    """
    files = []
    if options.perceptual_weights is not None:
        check_weights(options.perceptual_weights)
        files.append(("perceptual", options.perceptual_weights))
    return ("" if options.initial is None else initial_digest(options.initial)) + (of_files(files) if files else "")
