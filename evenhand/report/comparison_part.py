"""Parts of `result.json` that hold a strategy against its references."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from evenhand.report.measures import GroupChange, MeasureChange, PriorChange
from evenhand.report.part import Change, Count, Part, Share, Verdict


class ClassComparison(Part):
    """What a strategy changes for one class."""

    class_: str = Field(alias="class")
    """Name of the class."""
    change: Change | None
    """Recall of the strategy minus that of the reference on the test split; null without test images."""
    low: Change | None
    """Lower end of the change's interval (Newcombe's for pairs; several seeds: crossed with images by Student's t)."""
    high: Change | None
    """Upper end of that interval."""
    p: Share
    """p-value of McNemar's exact test (several seeds: the larger of it and Student's t's) after Holm's correction over
    the classes that can be ranked; `p_raw` where the class cannot."""
    p_raw: Share
    """p-value before that correction."""
    verdict: Verdict
    """`helped` or `hurt` where `p` is below 1 - confidence."""
    reason: str | None = None
    """Why the class was not ranked at all, e.g. too few test images."""
    cohens_g: Annotated[float, Field(ge=-0.5, le=0.5)] | None = None
    """Effect size of McNemar's test: share of the differing images that the strategy recognises, less a half."""
    odds_ratio: Annotated[float, Field(ge=0.0)] | None = None
    """Images that only the strategy recognises over those that only the reference does; null without the latter."""
    needed_images: Count | None = None
    """Test images of the class on which a change of 5 points would be seen in 4 of 5 cases; null without any."""


class ComparisonPart(Part):
    """A strategy against one reference, on the test split."""

    strategy: str
    """The strategy."""
    versus: Literal["matched", "baseline", "best_remedy", "shuffled"]
    """Which reference: the same training on real images alone, plain training, the best cheap remedy, or the same
    training with shuffled labels on the synthetic images."""
    versus_name: str
    """The reference's name."""
    chosen_on: Literal["validation", "test"] | None = None
    """best_remedy: the split it was chosen on; `test`, in the remedy's favour, only where no validation split is."""
    balanced_accuracy_change: Change
    """Strategy minus reference."""
    low: Change
    """Lower end of its interval (paired bootstrap over images; several seeds: crossed with images by Student's t)."""
    high: Change
    """Upper end of that interval."""
    verdict: Verdict
    """`helped` where the whole interval is above zero, `hurt` where it is below."""
    per_class: tuple[ClassComparison, ...]
    """Each class, in the order of the labels."""
    priors: tuple[PriorChange, ...] = ()
    """Change of accuracy under the balanced prior, the training prior and its reverse."""
    measures: tuple[MeasureChange, ...] = ()
    """Change of the measures over all classes beside the balanced accuracy."""
    shot_groups: tuple[GroupChange, ...] = ()
    """Change of the recall of the classes with many, medium and few real training images."""
