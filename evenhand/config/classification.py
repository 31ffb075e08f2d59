"""The `classifier`, `training` and `strategies` sections."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from evenhand.config.section import Choice, Section, registered


class Classifier(Section):
    """The classifier that every strategy trains.

    Attributes:
      name: a name from `registry.names("models.classifiers")` or a dotted path.
      weights: None (from scratch), `imagenet`, or a local weights file.
      options: the classifier's own `Options`.
    """

    name: Annotated[str, registered("models.classifiers", "classifier.name")] = "efficientnetv2-b0"
    weights: str | None = None
    options: dict[str, Any] = {}


class EarlyStopping(Section):
    """Stops a phase when validation loss has not improved, and restores the best weights.

    Attributes:
      patience: evaluations without improvement.
      every: gradient steps between evaluations.
    """

    patience: int = Field(5, ge=1)
    every: int = Field(50, ge=1)


class RandAugment(Section):
    """Random operations one after the other, each drawn from fourteen (Cubuk et al., 2020); none of them mirrors.

    Attributes:
      operations: how many an image goes through.
      magnitude: their strength, in [0, 1]; 0.3 is the paper's 9 of 30.
    """

    operations: int = Field(2, ge=1, le=8)
    magnitude: float = Field(0.3, ge=0.0, le=1.0)


class Augmentation(Section):
    """Random changes of training images, alike for every strategy; nothing is ever mirrored by default.

    Attributes:
      rotation: largest angle in degrees, either way.
      shift: largest displacement as a share of height and width.
      zoom: largest relative change of scale.
      flip: mirror left-right with probability 1/2 (wrong for digits and hand signs).
      rand_augment: after these, geometric and photometric operations; None for none.
    """

    rotation: float = Field(0.0, ge=0.0, le=180.0)
    shift: float = Field(0.0, ge=0.0, lt=1.0)
    zoom: float = Field(0.0, ge=0.0, lt=1.0)
    flip: bool = False
    rand_augment: RandAugment | None = None


class Mixing(Section):
    """Mixes the images of a batch in pairs, and their labels in the same proportion.

    Attributes:
      kind: `mixup` adds the two images up (Zhang et al., 2018), `cutmix` puts a box of one into the other (Yun et al.,
        2019).
      alpha: of the symmetric beta distribution of the proportions; 1 is uniform, less mixes less.
      probability: of an image to be mixed at all.
      pairs: `any` two images of the batch, or `across`: one real and one synthetic, for strategies with a fixed share
        of synthetic images in every batch.
    """

    kind: Literal["mixup", "cutmix"] = "mixup"
    alpha: float = Field(0.2, gt=0.0, le=10.0)
    probability: float = Field(1.0, gt=0.0, le=1.0)
    pairs: Literal["any", "across"] = "any"


class Training(Section):
    """The budget that every strategy gets, pretraining counted.

    Attributes:
      steps: gradient steps in all.
      batch_size: images in a step.
      learning_rate: Adam's peak rate.
      early_stopping: off (None) or its settings.
      watch_every: gradient steps between two looks at validation, which are logged and change nothing; None looks eight
        times in each phase.
      augmentation: off (None) or its settings, for every phase of every strategy that does not set its own.
    """

    steps: int = Field(180, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(0.003, gt=0.0)
    early_stopping: EarlyStopping | None = None
    watch_every: int | None = Field(None, ge=1)
    augmentation: Augmentation | None = Augmentation(rotation=10.0, shift=0.1, zoom=0.1)


class OwnTraining(Section):
    """What a strategy sets for itself of `training`; the rest is the budget, which all share.

    Attributes:
      learning_rate: instead of `training.learning_rate`; None takes that.
      augmentation: instead of `training.augmentation`; None takes that, and `{}` is none at all.
    """

    learning_rate: float | None = Field(None, gt=0.0)
    augmentation: Augmentation | None = None

    def of(self, training: Training) -> Training:
        """The run's training as the strategy has it; its matched arm has the same."""
        given = {name: value for name, value in self if value is not None}
        return training.model_copy(update=given)


class Strategy(Choice):
    """One strategy, its options and what it sets for itself of `training`; in YAML a bare name will do."""

    name: Annotated[str, registered("models.strategies", "strategies")]
    training: OwnTraining | None = None
