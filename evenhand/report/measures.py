"""Parts of `result.json` beside the scores: priors, shot groups, calibration, uncertainty and convergence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from evenhand.report.part import Change, Count, Part, Share, Verdict

Prior = Literal["balanced", "training", "reversed"]
ShotGroup = Literal["many", "medium", "few"]
Difference = Annotated[float, Field(ge=-2.0, le=2.0)]
"""Of two correlations, or of two shares."""


class PriorResult(Part):
    """Accuracy where the classes come with a prior: their recalls on test images, weighted."""

    prior: Prior
    """All classes equally likely, as likely as in training, or with the most and least likely swapped, and so on."""
    accuracy: Share
    """Mean over seeds."""
    low: Share
    """Lower end of its interval, over test images and, with several, seeds."""
    high: Share
    """Upper end of that interval."""


class GroupResult(Part):
    """Mean recall on test images of the classes with many, medium or few real training images."""

    group: ShotGroup
    """More than 100 training images, 20 to 100, or fewer than 20."""
    classes: Count
    """Classes of the group, with test images or without."""
    recall: Share
    """Mean over its classes with test images, and over seeds."""
    low: Share
    """Lower end of its interval, over test images and, with several, seeds."""
    high: Share
    """Upper end of that interval."""


class PriorChange(Part):
    """Change of accuracy where the classes come with a prior."""

    prior: Prior
    """As in the strategies' `priors`."""
    change: Change
    """Strategy minus reference."""
    low: Change
    """Lower end of its interval, as of the balanced accuracy change."""
    high: Change
    """Upper end of that interval."""
    verdict: Verdict
    """`helped` where the whole interval is above zero, `hurt` where it is below."""


class GroupChange(Part):
    """Change of the mean recall of the classes with many, medium or few real training images."""

    group: ShotGroup
    """As in the strategies' `shot_groups`."""
    classes: Count
    """Classes of the group, with test images or without."""
    change: Change
    """Strategy minus reference."""
    low: Change
    """Lower end of its interval, as of the balanced accuracy change."""
    high: Change
    """Upper end of that interval."""
    verdict: Verdict
    """`helped` where the whole interval is above zero, `hurt` where it is below."""


class MeasureChange(Part):
    """Change of a measure over all classes; that of the worst class over those of 10 test images or more."""

    measure: Literal["accuracy", "macro_f1", "weighted_f1", "geometric_mean", "matthews", "worst_class_recall"]
    """As in the scores of a split."""
    change: Difference
    """Strategy minus reference, means over seeds."""
    low: Difference
    """Lower end of its interval (paired bootstrap over images; several seeds: with the variance between them)."""
    high: Difference
    """Upper end of that interval."""
    verdict: Verdict
    """`helped` where the whole interval is above zero, `hurt` where it is below."""
    reason: str | None = None
    """Why there is no verdict at all, e.g. too few test images of every class."""


class Uncertainty(Part):
    """Mean over test images of how unsure the classifier is, by the four measures of the literature; 0 is certain."""

    least_confidence: Share
    """Distance of the largest probability from certainty; 1 is uniform."""
    margin_of_confidence: Share
    """Closeness of the two largest probabilities; 1 is a tie."""
    ratio_of_confidence: Share
    """Second largest over largest probability; 1 is a tie."""
    entropy: Share
    """As a share of the largest possible; 1 is uniform."""


class ClassUncertainty(Uncertainty):
    """The same over the test images of one class."""

    class_: str = Field(alias="class")
    """Name of the class."""


class UncertaintyPart(Part):
    """How unsure a strategy's classifier is on test images; means over seeds."""

    overall: Uncertainty
    """Over all test images."""
    per_class: tuple[ClassUncertainty, ...]
    """Over those of each class that has any, in the order of the labels."""


class ReliabilityPoint(Part):
    """One bin of the reliability curve, over the predictions of all seeds."""

    confidence: Share
    """Mean probability of the predicted class."""
    accuracy: Share
    """Share of these predictions that are right."""
    count: Count
    """Predictions in the bin."""


class ClassCalibration(Part):
    """Whether the probabilities of one class mean what they say."""

    class_: str = Field(alias="class")
    """Name of the class."""
    error: Share
    """Expected calibration error of the class's probability over all test images."""


class CorrectedResult(Part):
    """What the corrected probabilities would give where the classes come with a prior, on test images so weighted."""

    prior: Literal["balanced", "training"]
    """The prior that was corrected to and by which test images are weighted."""
    accuracy: Share
    """After correction."""
    accuracy_before: Share
    """As the strategy stands."""
    balanced_accuracy: Share
    """After correction; does not depend on how images are weighted."""
    balanced_accuracy_before: Share
    """As the strategy stands."""
    calibration_error: Share
    """Expected calibration error after correction."""
    calibration_error_before: Share
    """As the strategy stands."""
    classwise_error: Share | None = None
    """Mean over classes of the calibration error of the class's probability, after correction."""
    classwise_error_before: Share | None = None
    """As the strategy stands."""


class CalibrationPart(Part):
    """Whether a strategy's probabilities mean what they say on test images, and after correction; means over seeds."""

    error: Share
    """Expected calibration error over 15 bins of the predicted class's probability."""
    classwise_error: Share
    """Mean of the classes' errors."""
    curve: tuple[ReliabilityPoint, ...]
    """The reliability curve; bins without predictions are left out."""
    per_class: tuple[ClassCalibration, ...]
    """Each class, in the order of the labels."""
    temperature: Annotated[float, Field(gt=0.0)] | None = None
    """Fitted on validation; above 1 where the classifier was too sure; null where `reason` says why."""
    prior_strength: float | None = None
    """Fitted on validation: how much of the training prior the probabilities hold, about 1 after plain training."""
    corrected: tuple[CorrectedResult, ...] = ()
    """What temperature and prior correction would give, under the balanced and the training prior."""
    reason: str | None = None
    """Why there is no correction, e.g. too few validation images, or a fit that ended at the limit of its range."""


class ConvergencePart(Part):
    """When a strategy first reaches the baseline's best validation score; of the first seed."""

    score: str | None
    """The logged score that is compared; null where none was logged."""
    target: float | None
    """The baseline's best."""
    steps: Count | None
    """Gradient steps, over all phases, until it is first reached; null where it is not."""
    epochs: Annotated[float, Field(ge=0.0)] | None
    """The same in passes over the real training images."""
    reason: str | None
    """Why there is no number; null where there is one."""
