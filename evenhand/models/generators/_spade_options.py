"""Options of `spade`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from evenhand.config import Section
from evenhand.data.pose_maps import Mark
from evenhand.data.pose_variation import Jitter
from evenhand.models.networks.spade import Kind
from evenhand.models.training.differentiable_augmentation import Policy

_LARGE = 64


class Options(Section):
    """Options of `spade`; with the paper's widths it has width 64, hidden 128 and discriminator_width 64.

    Normalisation and judges are then the paper's; how the generator is laid out is ours: one block at the smallest map
    and one after each doubling, at most 8 times `width` channels. NVlabs' code has two more blocks in the middle and 16
    times, S1's is smaller.

    The paper's learning rates are 1e-4 and 4e-4, for tens of thousands of steps. Measured on 1120 Sign Language Digits
    of 32x32 pixels after 300 steps of 16: a small classifier trained on synthetic images alone is right on 0.65 of the
    real ones with these defaults, on 0.17 with 2e-4 and 4e-4 (0.91 when trained on the real images).

    Attributes:
      labels: tell generator and judges the class besides the pose; needless where the pose makes the class.
      discriminator_loss: `hinge` (SPADE), or `d2d_ce`, which adds a judge with ReACGAN's loss.
      width: channels of the generator at full size.
      hidden: channels of the hidden layer that reads the pose, in each normalisation.
      normalization: of each image by itself, or of a batch, as the paper's; with a running average and few steps,
        statistics of batches fit no weights, and single classes come out far too bright.
      latent_size: numbers in a latent.
      mark: what stands for a key point in the pose maps.
      bones: 20 more maps with the bones between key points.
      discriminator_width: channels of the first layer of each judge.
      discriminator_layers: of each patch judge before its scores; None takes 3 up to 64 pixels, else 4 as the paper.
      scales: patch judges, each at half the size of the one before.
      feature_matching: w_f; 10 in the paper. The higher, the more images follow the training image of their pose.
      perceptual_weights: a file with Keras' VGG19 without its top; None leaves the perceptual loss out.
      perceptual: w_p.
      learning_rate: Adam's, of the generator.
      discriminator_learning_rate: Adam's, of the judges.
      beta_1: Adam's.
      beta_2: Adam's.
      average_decay: of the running average of the generator that draws.
      augmentation: random changes of what the judges see; the paper has none.
      jitter: of the poses that are drawn.
      interpolation: draw what lies between two poses of a class, too, where they are no mirror images of each other.
      d2d_weight: of the data-to-data cross-entropy.
      embedding_size: of its embedding.
      temperature: of it.
      positive_margin: of it; the negative margin is 1 less that.
      initial: a run, or the generator of one, trained with the same networks and `labels: false` on another data set,
        that it starts from.
      fine_tune: train it further here; if not, it draws this data set's poses as it is.
    """

    labels: bool = True
    discriminator_loss: Literal["hinge", "d2d_ce"] = "hinge"
    width: int = Field(16, ge=1)
    hidden: int = Field(16, ge=1)
    normalization: Kind = "instance"
    latent_size: int = Field(32, ge=1)
    mark: Mark = "gaussian"
    bones: bool = False
    discriminator_width: int = Field(32, ge=1)
    discriminator_layers: int | None = Field(None, ge=1, le=6)
    scales: int = Field(2, ge=1, le=3)
    feature_matching: float = Field(10.0, ge=0.0)
    perceptual_weights: str | None = None
    perceptual: float = Field(10.0, ge=0.0)
    learning_rate: float = Field(5e-4, gt=0.0)
    discriminator_learning_rate: float = Field(5e-4, gt=0.0)
    beta_1: float = Field(0.0, ge=0.0, lt=1.0)
    beta_2: float = Field(0.9, ge=0.0, lt=1.0)
    average_decay: float = Field(0.99, ge=0.0, lt=1.0)
    augmentation: Policy = ("translation", "cutout")
    jitter: Jitter = Jitter()
    interpolation: bool = True
    d2d_weight: float = Field(0.5, ge=0.0)
    embedding_size: int = Field(512, ge=1)
    temperature: float = Field(0.5, gt=0.0)
    positive_margin: float = Field(0.98, gt=0.0, le=1.0)
    initial: str | None = None
    fine_tune: bool = True

    @model_validator(mode="after")
    def _initial_knows_no_labels(self) -> Options:
        if self.initial is not None and self.labels:
            raise ValueError("initial needs labels: false, since another data set has other classes")
        return self

    def layers_for(self, image_shape: tuple[int, int, int]) -> int:
        """Layers of each patch judge before its scores, for images of that shape."""
        return self.discriminator_layers or (3 if max(image_shape) <= _LARGE else 4)
