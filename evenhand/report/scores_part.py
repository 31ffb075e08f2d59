"""Parts of `result.json` that hold the scores of a classifier on one split."""

from __future__ import annotations

from pydantic import Field

from evenhand.report.part import Change, Count, Part, Share


class ClassResult(Part):
    """What a strategy's classifier does with one class."""

    class_: str = Field(alias="class")
    """Name of the class."""
    support: Count
    """Images of the class in this split."""
    recall: Share | None
    """Share of them that are recognised; null without images, like its interval."""
    recall_low: Share | None
    """Lower end of the Wilson interval (with several seeds: widened by their spread)."""
    recall_high: Share | None
    """Upper end of that interval."""
    precision: Share
    """Share of the images called so that are so; 0 when none is called so."""
    precision_low: Share | None = None
    """Lower end of its interval (stratified bootstrap; with several seeds widened by their spread)."""
    precision_high: Share | None = None
    """Upper end of that interval."""
    f1: Share
    """Harmonic mean of precision and recall."""
    f1_low: Share | None = None
    """Lower end of its interval (stratified bootstrap; with several seeds widened by their spread)."""
    f1_high: Share | None = None
    """Upper end of that interval."""
    specificity: Share | None = None
    """Share of the images of other classes that are not called so; null without such images."""
    specificity_low: Share | None = None
    """Lower end of its interval (Wilson; with several seeds widened by their spread)."""
    specificity_high: Share | None = None
    """Upper end of that interval."""
    average_precision: Share | None = None
    """Average precision of ranking all images by the class's probability; null without images of the class."""
    average_precision_low: Share | None = None
    """Lower end of its interval (stratified bootstrap; with several seeds widened by their spread)."""
    average_precision_high: Share | None = None
    """Upper end of that interval."""


class SplitResult(Part):
    """What a strategy's classifier does with one split."""

    accuracy: Share
    """Share of all images recognised."""
    accuracy_low: Share | None = None
    """Lower end of its interval (Wilson; with several seeds widened by their spread)."""
    accuracy_high: Share | None = None
    """Upper end of that interval."""
    balanced_accuracy: Share
    """Mean recall over classes that have images."""
    balanced_accuracy_low: Share
    """Lower end of its interval (Wilson intervals of the classes, added in quadrature)."""
    balanced_accuracy_high: Share
    """Upper end of that interval."""
    macro_f1: Share
    """Mean F1 over classes."""
    macro_f1_low: Share | None = None
    """Lower end of its interval (stratified bootstrap; with several seeds widened by their spread)."""
    macro_f1_high: Share | None = None
    """Upper end of that interval."""
    weighted_f1: Share | None = None
    """Mean F1 weighted by the images of each class."""
    weighted_f1_low: Share | None = None
    """Lower end of its interval (stratified bootstrap; with several seeds widened by their spread)."""
    weighted_f1_high: Share | None = None
    """Upper end of that interval."""
    geometric_mean: Share | None = None
    """Geometric mean of the recalls of the classes that have images."""
    geometric_mean_low: Share | None = None
    """Lower end of its interval (Wilson intervals of the classes, added in quadrature on the logarithmic scale)."""
    geometric_mean_high: Share | None = None
    """Upper end of that interval."""
    matthews: float | None = None
    """Matthews correlation of labels and predictions, in [-1, 1]."""
    matthews_low: Change | None = None
    """Lower end of its interval (stratified bootstrap; with several seeds widened by their spread)."""
    matthews_high: Change | None = None
    """Upper end of that interval."""
    calibration_error: Share | None = None
    """Expected calibration error over 15 bins of the predicted class's probability."""
    worst_class_recall: Share
    """Smallest recall of a class that has images."""
    worst_class_recall_low: Share | None = None
    """Lower end of its interval (Wilson intervals of the classes, whichever is the worst)."""
    worst_class_recall_high: Share | None = None
    """Upper end of that interval."""
    per_class: tuple[ClassResult, ...]
    """Each class, in the order of the labels."""
