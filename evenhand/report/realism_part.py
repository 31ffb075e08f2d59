"""What people who rated a run's images found, as it stands in `result.json`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenhand.report.part import Count, Part, Share


class EstimatePart(Part):
    """A value with its interval."""

    value: float
    """What was seen."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end of that interval."""


class PerceivedPart(Part):
    """How real some images look to people, from 1, not real at all, to 5, completely real."""

    num_real: Count
    """Real images rated."""
    num_synthetic: Count
    """Synthetic images rated."""
    real_counts: tuple[Count, Count, Count, Count, Count]
    """Ratings 1 to 5 of real images."""
    synthetic_counts: tuple[Count, Count, Count, Count, Count]
    """Ratings 1 to 5 of synthetic images."""
    real: EstimatePart | None
    """Mean rating of real images; null without any."""
    synthetic: EstimatePart | None
    """Mean rating of synthetic images; null without any."""
    difference: EstimatePart | None
    """Synthetic minus real; null unless there are both."""
    told_apart: EstimatePart | None
    """How often a real image is rated above a synthetic one, equal ratings counting half; 0.5 is chance."""


class ClassRealism(PerceivedPart):
    """How real one class's images look."""

    class_: str = Field(alias="class")
    """Name of the class."""


class RaterRealism(PerceivedPart):
    """How real the images look to one rater."""

    rater: str
    """Name of the rater."""


class AgreementPart(Part):
    """How far raters agree on the images that two or more have rated."""

    num_images: Count
    """How many those are."""
    alpha: Annotated[float, Field(le=1.0)] | None
    """Krippendorff's alpha for ordered categories: 1 is full agreement, 0 is chance; null if all ratings are equal."""
    equal: Share
    """Share of the pairs of ratings of one image that are equal."""


class RealismPart(Part):
    """What a human study found: real test images and synthetic images, rated without knowing which is which."""

    overall: PerceivedPart
    """Over all classes and raters."""
    per_class: tuple[ClassRealism, ...]
    """Each class that has ratings, in the order of the labels."""
    per_rater: tuple[RaterRealism, ...]
    """Each rater."""
    agreement: AgreementPart | None
    """Of the raters; null if no image was rated by two."""
    interval: str
    """How the intervals were made."""
    left_out: tuple[str, ...] = ()
    """Raters whose ratings are of other images, from before the run was made again."""
