"""Polarity-GAN: mixes the training images of a class, where a classifier finds that hard and a critic finds it real.

Paper: Deepshikha and Naman, "Removing Class Imbalance using Polarity-GAN: An Uncertainty Sampling Approach" (S4),
algorithm 1 and equations 3 to 6; networks and details that it leaves open are those of GAMO (Mullick et al., Generative
Adversarial Minority Oversampling, 2019), whose equations it follows. Equation 3: with latents z and a class i,

    x = sum_j a_j x_j,    a = softmax(P(Q(z, i))),    x_j training images of class i.

So a sample lies in the convex hull of its class's images. In the space `pixel` those are the images themselves; in the
space `code` they are the codes of an auto-encoder, which decodes the mixture. An only image is copied (in `code`:
decoded); two give a segment. A saved generator contains those images or codes.

An auto-encoder learns all images in the first `warm_up_steps` steps. Afterwards each step is algorithm 1's: F on real
images (line 2); C on real and on synthetic ones (lines 4 and 7); D on both (4 and 7); G against C (10), then D (11).

Where the paper contradicts itself or is silent, this is our reading:
1. Line 7 trains D to call synthetic images real. Ours is equation 5: the critic lowers them.
2. Line 10 makes them easy for C. Text and equation 4 (min_G max_C) want them hard: G minimises -log(1 - C_y), GAMO's
   complement; the negative of cross-entropy has no bound.
3. Equation 5 has no constraint on D, lines 4, 7 and 11 have targets. `loss: wasserstein` is equation 5 with a gradient
   penalty of weight 10 on F's features; `ls` is GAMO, with mean squares for all.
4. The weights of equations 5 and 6 are those of sampling: p_i for real images (`sampling: instance`, not the default),
   p_k - p_i for synthetic ones. Under a Wasserstein loss, a class that weighs unlike on both sides lets a critic that
   knows it grow without bound; so each real image meets a synthetic one of its class, both weighed by line 6's law.
5. C maximises the likelihood of the true class, on real and on synthetic images alike.
6. Equation 3 lacks an index of P: a is the softmax over the images of the class.
7. Line 4 judges F(X), line 7 G itself: F stands before C and D for both. F learns from real images alone (line 2); S4
   takes a ResNet-50 with ImageNet weights, made for photographs, we GAMO's network from scratch.
8. A convex combination has no decoder that could be initialised: `space: pixel` starts F as the encoder; `code` mixes
   codes of the encoder, which rests after the warm-up, F is a layer on codes, and the decoder shows the mixture.
9. The paper's points are to be in the hull and on the boundary of the class, a copy is both: `max_weight` is logged,
   `entropy_floor` bounds it. Large classes mix `members` images at a time (see `choice`), drawn anew for each
   sample, by the same law in training and in drawing, from at most `bank_images`: memory does not grow with a class.
10. The largest class is never generated (lines 6 and 9). `majority: skip` is that, its samples stay untrained;
    `include` draws it in both with probability 1 / K, since a run may ask for its images, and D and C must know them:
    line 6's law for (50, 30, 15, 5) images is then (.25, .15, .2625, .3375), the paper's (0, .2, .35, .45).
11. "for j steps" has no number: j = 1, and `critic_steps` of the critic. Nor has the balance of lines 10 and 11:
    `classifier_weight` stays as it is; lower it, say to 0.1, where samples leave their class.
12. Equations 7 to 9 are sums in the paper and averages in its tables; they measure, and nothing is trained on them.

`refinement` leaves the hull, and is off: a residual network, trained against D, changes each number by at most that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from keras import ops
from pydantic import Field, model_validator

from evenhand.config import Section
from evenhand.data.image_table import ImageTable
from evenhand.models.banks.class_bank import ClassBank, Members, bank_rows, bank_vectors
from evenhand.models.banks.drawn_labels import draw_labels
from evenhand.models.generators import _polarity_losses
from evenhand.models.networks import polarity as polarity_networks
from evenhand.models.networks import seeded
from evenhand.models.networks.convex_generator import WEIGHT_METRICS, ConvexGenerator, weight_metrics
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from evenhand.models.training.differentiable_augmentation import Policy, augment
from evenhand.models.training.fused_adam import FusedAdam
from evenhand.models.training.update import Update

Tensor = Any

AUTOENCODER, EXTRACTOR, CLASSIFIER = "autoencoder", "extractor", "classifier"
JUDGES_IMAGES = True
AGAINST_CLASSIFIER, GENERATOR, REFINER = "generator_against_classifier", "generator", "refiner"

_fold = tf.random.experimental.stateless_fold_in
_LABELS, _NOISE, _JUDGEMENT, _AUGMENT_REAL, _AUGMENT_SYNTHETIC, _OTHER_LATENTS = 1, 2, 3, 4, 5, 6


# Measured with a small classifier trained on 200 synthetic images a class: on 260 digits (90 to 3 a class) `pixel`
# has a balanced accuracy of 0.850 and 0.849 on real ones, `code` 0.843 and 0.842 (the 260 themselves: 0.842).
class Options(Section):
    """Options of `polarity_gan`.

    Attributes:
      space: where images are mixed.
      loss: of D, C and G; see the module.
      majority: what becomes of the largest class; see the module.
      members: most images in one mixture.
      choice: of a larger class's images for one mixture: one drawn at random and those `nearest` to it in the space,
        or all of them at `random`.
      bank_images: most images of a class that are mixed at all, drawn once by the seed.
      entropy_floor: the least entropy of a mixture's weights, as a share of that of equal weights.
      refinement: the most by which a residual network may change a pixel or a code, both in -1..1; 0 has no network.
      warm_up_steps: of the auto-encoder.
      critic_steps: of the critic in each step, each with a batch of its own; `ls` has one.
      classifier_weight: weight of G's loss against C, beside 1 of that against D.
      latent_size: numbers in a latent.
      width: filters of F, encoder and decoder; GAMO has 32.
      code_size: numbers in a code and in F's features; GAMO has 512.
      learning_rate: Adam's, all networks.
      auto_encoder_rate: Adam's learning rate in the warm-up.
      beta_1: Adam's, all networks.
      augmentation: of what D sees in the space `pixel`; () in the space `code`.
    """

    space: Literal["pixel", "code"] = "pixel"
    loss: Literal["wasserstein", "ls"] = "wasserstein"
    majority: _polarity_losses.Majority = "include"
    members: int = Field(16, ge=1)
    choice: Members = "nearest"
    bank_images: int = Field(5000, ge=1)
    entropy_floor: float = Field(0.0, ge=0.0, lt=1.0)
    refinement: float = Field(0.0, ge=0.0, le=1.0)
    warm_up_steps: int = Field(300, ge=0)
    critic_steps: int = Field(5, ge=1)
    classifier_weight: float = Field(1.0, ge=0.0)
    latent_size: int = Field(100, ge=1)
    width: int = Field(16, ge=1)
    code_size: int = Field(128, ge=1)
    learning_rate: float = Field(2e-4, gt=0.0)
    auto_encoder_rate: float = Field(1e-3, gt=0.0)
    beta_1: float = Field(0.6, ge=0.0, lt=1.0)
    augmentation: Policy = ()

    @model_validator(mode="after")
    def _possible_in_the_space(self) -> Options:
        if self.space == "code" and (self.augmentation or not self.warm_up_steps):
            raise ValueError("the space 'code' needs warm_up_steps, and knows no augmentation of pixels")
        return self


class PolarityGAN(ConditionalGenerator):
    """The Polarity-GAN that `options` describe; see the module.

    Attributes:
      generator: G with its `bank`, the images or codes that are mixed.
      encoder, decoder, extractor, classifier, discriminator: see `polarity_networks.Players`.
    """

    def __init__(self, options: Options, images: ImageTable, *, seed: int) -> None:
        num_classes = len(images.class_names)
        super().__init__(image_shape=images.image_shape, num_classes=num_classes, seed=seed)
        self.options, self.is_code = options, options.space == "code"
        self.game = _polarity_losses.LeastSquares() if options.loss == "ls" else _polarity_losses.Wasserstein()
        self.judged_shares = _polarity_losses.judged_shares(images.class_counts, options.majority)
        self.generated_shares = _polarity_losses.generated_shares(images.class_counts, options.majority)
        self.bank_rows, seeds = bank_rows(images, options.bank_images, seed), seeded.layer_seeds(seed)
        self.point_shape = (options.code_size,) if self.is_code else images.image_shape
        players = polarity_networks.players(
            images.image_shape, num_classes, options.width, options.code_size, is_code=self.is_code, seeds=seeds
        )
        self.encoder, self.decoder, self.extractor, self.classifier, self.discriminator = players
        counts, size = np.minimum(images.class_counts, options.bank_images), int(np.prod(self.point_shape))
        bank = ClassBank(counts.tolist(), size, options.members, options.choice, is_pixels=not self.is_code)
        self.generator = ConvexGenerator(bank, num_classes, options.latent_size, options.entropy_floor, seeds)
        self.refiner = polarity_networks.refiner(self.point_shape, options.width, seeds) if options.refinement else None
        self.set_updates(self._plan())

    def _plan(self) -> list[Update]:
        options, start, game = self.options, self.options.warm_up_steps, self.game
        critic_steps = 1 if options.loss == "ls" else options.critic_steps
        adam = partial(FusedAdam, options.learning_rate, beta_1=options.beta_1)
        generator_adam = adam()
        updates = [
            Update(EXTRACTOR, (self.extractor,), adam(), start=start),
            Update(CLASSIFIER, (self.classifier,), adam(), start=start),
            Update(game.update, (self.discriminator,), adam(), critic_steps, start=start, metrics=game.metrics),
            Update(AGAINST_CLASSIFIER, self.generator.trained, generator_adam, start=start),
            Update(GENERATOR, self.generator.trained, generator_adam, start=start, metrics=WEIGHT_METRICS),
        ]
        if self.refiner is not None:
            updates.append(Update(REFINER, (self.refiner,), adam(), start=start))
        if start:
            warm_up_adam = FusedAdam(options.auto_encoder_rate)
            updates.insert(0, Update(AUTOENCODER, (self.encoder, self.decoder), warm_up_adam, stop=start))
        return updates

    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The losses of algorithm 1."""
        if update.name == AUTOENCODER:
            decoded = self.decoder(self.encoder(batch.images, training=True), training=True)
            return ops.mean(ops.square(decoded - batch.images)), {}
        if update.name == EXTRACTOR:
            return self._recognition(self._real(batch), batch.labels), {}
        if update.name == CLASSIFIER:
            labels = draw_labels(self.judged_shares, batch.images.shape[0], _fold(seed, _LABELS))
            synthetic = self._recognition(self._synthetic(labels, seed), labels)
            return self._recognition(self._real(batch), batch.labels) + synthetic, {}
        if update.name == self.game.update:
            return self._judgement(batch, seed)
        return self._generator_loss(update, batch, seed)

    def milestones(self) -> Mapping[int, Callable[[ImageTable], None]]:
        """After the warm-up: F as the encoder, and the bank."""
        return {self.options.warm_up_steps: self._start_adversarial_training}

    def prepare_to_sample(self, images: ImageTable) -> None:
        """Fills the bank while the encoder still learns; adversarial training starts from its own."""
        if self.steps_done <= self.options.warm_up_steps:
            self._fill_bank(images)

    def sample(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """Draws images, float32[n, h, w, c] in [-1, 1], of labels int32[n] and seeds int64[n]."""
        points = self._refined(self.convex_points(labels, seeds))
        return ops.clip(self.decoder(points, training=False) if self.is_code else points, -1.0, 1.0)

    def realness(self, images: Tensor, labels: Tensor) -> Tensor:
        """D's scores of F's features, float32[n], of images float32[n, h, w, c] in [-1, 1] and labels int32[n]."""
        features = self.extractor(self._real(Batch(images, labels)), training=False)
        return self.discriminator([features, self._one_hot(labels)], training=False)[:, 0]

    def convex_points(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """The mixtures that `sample` shows (before `refinement`, if any): each in the hull of its class.

        Args:
          labels: int32[n].
          seeds: int64[n].

        Returns:
          float32[n, h, w, c] or float32[n, code]; the corners of the hulls are `generator.bank.of_class(label)`, flat.
        """
        noise = seeded.latents_for_seeds(seeds, self.generator.noise_size)
        return self._mix(noise, ops.convert_to_tensor(labels, "int32"), training=False)[0]

    def _mix(self, noise: Tensor, labels: Tensor, *, training: bool) -> tuple[Tensor, Tensor]:
        """Points float32[n, *point_shape] and their weights float32[n, members]."""
        points, weights = self.generator(noise, labels, training=training)
        return ops.reshape(points, (-1, *self.point_shape)), weights

    def _mix_for_training(self, labels: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
        noise = seeded.latents_for_batch(self.generator.noise_size, labels, _fold(seed, _NOISE))
        points, weights = self._mix(noise, labels, training=True)
        return self._refined(points), weights

    def _refined(self, points: Tensor) -> Tensor:
        if self.refiner is None:
            return points
        return ops.clip(points + self.options.refinement * self.refiner(points), -1.0, 1.0)

    def _synthetic(self, labels: Tensor, seed: Tensor) -> Tensor:
        """Points that only C or D learn from: no gradient reaches G."""
        return ops.stop_gradient(self._mix_for_training(labels, seed)[0])

    def _real(self, batch: Batch) -> Tensor:
        return ops.stop_gradient(self.encoder(batch.images, training=False)) if self.is_code else batch.images

    def _recognition(self, points: Tensor, labels: Tensor) -> Tensor:
        return self.game.recognition(self.classifier(self.extractor(points, training=True), training=True), labels)

    def _features(self, points: Tensor, seed: Tensor) -> Tensor:
        """What D sees of points."""
        if not self.is_code:
            points = augment(points, self.options.augmentation, seed)
        return self.extractor(points, training=True)

    def _judgement(self, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        labels = batch.labels
        if self.options.loss == "ls":
            labels = draw_labels(self.judged_shares, batch.images.shape[0], _fold(seed, _LABELS))
        real = self._features(self._real(batch), _fold(seed, _AUGMENT_REAL))
        synthetic = self._features(self._synthetic(labels, seed), _fold(seed, _AUGMENT_SYNTHETIC))
        judged = _polarity_losses.Judged(real, self._one_hot(batch.labels), synthetic, self._one_hot(labels))
        return self.game.judgement(self.discriminator, judged, self.judged_shares, _fold(seed, _JUDGEMENT))

    def _generator_loss(self, update: Update, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        # Line 8 draws other latents than line 5; G's two updates and the refiner's share them.
        seed = _fold(seed, _OTHER_LATENTS)
        labels = draw_labels(self.generated_shares, batch.images.shape[0], _fold(seed, _LABELS))
        points, weights = self._mix_for_training(labels, seed)
        if update.name == AGAINST_CLASSIFIER:
            logits = self.classifier(self.extractor(points, training=True), training=True)
            return self.options.classifier_weight * self.game.hardness(logits, labels), {}
        features = self._features(points, _fold(seed, _AUGMENT_SYNTHETIC))
        loss = self.game.deception(self.discriminator([features, self._one_hot(labels)], training=True))
        return loss, weight_metrics(weights) if update.name == GENERATOR else {}

    def _one_hot(self, labels: Tensor) -> Tensor:
        return ops.one_hot(labels, self.num_classes, dtype="float32")

    def _start_adversarial_training(self, images: ImageTable) -> None:
        if not self.is_code:
            self.extractor.set_weights(self.encoder.get_weights())
        self._fill_bank(images)

    def _fill_bank(self, images: ImageTable) -> None:
        encode = partial(self.encoder, training=False) if self.is_code else None
        self.generator.bank.fill(bank_vectors(images, self.bank_rows, encode))


def build(options: Options, images: ImageTable, *, seed: int) -> PolarityGAN:
    """The untrained model.

    Args:
      options: of this generator.
      images: the training images, for their shape, classes and counts; at least one of each class.
      seed: of initial weights, latents and the choice of images.

    Raises:
      UserError: if a class has no image.
    """
    return PolarityGAN(options, images, seed=seed)
