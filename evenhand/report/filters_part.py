"""What filters left of the synthetic images, as it stands in `result.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evenhand.report.part import Count, Part

if TYPE_CHECKING:
    from evenhand.evaluation.filtering import Filtered, Step
    from evenhand.report.filter_pictures import FilterPicture

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


class FilterCounts(Part):
    """What one filter did to one class."""

    class_: str = Field(alias="class")
    """Name of the class."""
    given: Count
    """Images that the filter was given: those that the filters before it kept."""
    kept: Count
    """Those of them that it kept."""


class FilterPart(Part):
    """One filter."""

    name: str
    """Name of the filter."""
    options: dict[str, Any]
    """Its options."""
    given: Count
    """Images that it was given."""
    kept: Count
    """Images that it kept."""
    kept_scores: tuple[float, float, float, float, float] | None
    """Lowest score, quartiles and highest score of the images that it kept; null where there are none."""
    dropped_scores: tuple[float, float, float, float, float] | None
    """The same of those that it dropped."""
    per_class: tuple[FilterCounts, ...]
    """Each class, in the order of the labels."""


class FilteredClass(Part):
    """One class before and after all filters."""

    class_: str = Field(alias="class")
    """Name of the class."""
    asked: Count
    """Images that `synthetic.per_class` asks for."""
    drawn: Count
    """Images that were drawn."""
    passed: Count
    """Those that every filter kept."""
    used: Count
    """Those that strategies learn from: no more than asked, the first by seed."""


class ShownImage(Part):
    """One of the images that the report shows."""

    class_: str = Field(alias="class")
    """Name of the class that it was made for."""
    image_id: str
    """Its id."""
    dropped_by: str | None
    """The filter that dropped it; null if it is used."""
    score: float
    """What that filter went by, or the last one if it is used."""


class FiltersPart(Part):
    """The filters of a run."""

    drawn: Count
    """Images that were drawn, over all classes."""
    used: Count
    """Images that strategies learn from."""
    filters: tuple[FilterPart, ...]
    """The filters, in the order in which they were applied."""
    per_class: tuple[FilteredClass, ...]
    """Each class, in the order of the labels."""
    shown: tuple[ShownImage, ...]
    """The images of the report, the first used and the first dropped ones of each class."""


def filters_part(
    found: Filtered, asked: Sequence[int], class_names: Sequence[str], shown: Sequence[FilterPicture]
) -> FiltersPart:
    """The part of the result.

    Args:
      found: what came of the filters.
      asked: images of each class that were asked for.
      class_names: names of the classes.
      shown: the images that the report shows.
    """
    columns: dict[str, Sequence[int] | NDArray[np.int64]] = {
        "asked": asked,
        "drawn": found.counts(np.ones(len(found.labels), bool)),
        "passed": found.counts(found.passed),
        "used": found.counts(found.used),
    }
    return FiltersPart.model_validate(
        {
            "drawn": len(found.labels),
            "used": int(found.used.sum()),
            "filters": [_filter_part(found, step, class_names) for step in found.steps],
            "per_class": [
                {"class": name, **{key: int(counts[label]) for key, counts in columns.items()}}
                for label, name in enumerate(class_names)
            ],
            "shown": [
                {"class": it.class_name, "image_id": it.image_id, "dropped_by": it.dropped_by, "score": it.score}
                for it in shown
            ],
        }
    )


def _filter_part(found: Filtered, step: Step, class_names: Sequence[str]) -> dict[str, Any]:
    given, kept = found.counts(step.rows), found.counts(step.rows[step.kept])
    return {
        "name": step.name,
        "options": dict(step.options),
        "given": len(step.rows),
        "kept": int(step.kept.sum()),
        "kept_scores": _quantiles(step.scores[step.kept]),
        "dropped_scores": _quantiles(step.scores[~step.kept]),
        "per_class": [
            {"class": name, "given": int(given[label]), "kept": int(kept[label])}
            for label, name in enumerate(class_names)
        ],
    }


def _quantiles(scores: NDArray[np.floating]) -> list[float] | None:
    return [float(value) for value in np.quantile(scores, _QUANTILES)] if len(scores) else None
