"""Whether synthetic images are copies of real ones, as it stands in `result.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from evenhand.report.part import Count, Part, Share

# A result is read in many places that audit nothing, and SciPy is slow to import.
if TYPE_CHECKING:
    from evenhand.evaluation.copies import CopyAudit
    from evenhand.evaluation.data_copying import DataCopying

MOST_PAIRS_PER_CLASS, MOST_LEAKS = 8, 100


class ClassCopies(Part):
    """Copies among one class's synthetic images."""

    class_: str = Field(alias="class")
    """Name of the class."""
    synthetic: Count
    """Synthetic images of the class."""
    copies: Count
    """Those that are flagged as copies of a training image, of any class."""
    share: Share | None
    """Copies over synthetic images; null without any."""
    data_copying_z: float | None
    """The class's z in the test of data-copying; null where there are too few images."""


class SpacePart(Part):
    """One way of comparing images."""

    space: Literal["pixels", "features"]
    """pixels: at the best alignment, mirrored too; features: of the extractor."""
    threshold: float
    """Distance to the nearest training image over that to the next ones, up to which an image is flagged."""
    copies: Count
    """Images flagged by it."""


class PairPart(Part):
    """A flagged synthetic image beside the training image it is a copy of."""

    class_: str = Field(alias="class")
    """Class that the synthetic image was made for."""
    synthetic_id: str
    """Id of the synthetic image."""
    real_id: str
    """Id of the training image."""
    space: Literal["pixels", "features"]
    """Where it was flagged; pixels where in both."""
    distance: float
    """Between the two: grey levels (root mean square), or units of the features."""
    score: float
    """Distance to the nearest training image over that to the next ones; 0 for an exact copy."""


class LeakPart(Part):
    """A synthetic image that repeats a test image pixel by pixel."""

    synthetic_id: str
    """Id of the synthetic image."""
    test_id: str
    """Id of the test image."""


class DataCopyingPart(Part):
    """The three-sample test of data-copying (Meehan et al., 2020) with the classes as cells."""

    statistic: float | None
    """C_T: far below 0 means copying, far above 0 underfitting; null where no class has enough images."""
    p: Share | None
    """Probability of a value as low without copying: near 0 means copying, near 1 underfitting; null likewise."""


class AuditPart(Part):
    """What the audit for memorised and leaked images found."""

    copies: Count
    """Synthetic images flagged as copies of a training image."""
    share: Share
    """Their share of all synthetic images."""
    per_class: tuple[ClassCopies, ...]
    """Each class, in the order of the labels."""
    false_alarms: Share
    """Share of fresh real images that the thresholds flag: a share of copies near it is no evidence of copying."""
    reference: Literal["held-out", "leave-one-out"]
    """Real images that set the thresholds: held-out ones, or, these being too few, training images among themselves."""
    num_references: Count
    """How many those were."""
    extractor: str
    """What the features are of."""
    spaces: tuple[SpacePart, ...]
    """Each way of comparing."""
    data_copying: DataCopyingPart
    """Whether the generator as a whole stays too near to its training images."""
    pairs: tuple[PairPart, ...]
    """Flagged images, the surest first, at most 8 of each class."""
    num_leaks: Count
    """Synthetic images that repeat a test image exactly."""
    leaks: tuple[LeakPart, ...]
    """The first 100 of them."""


def audit_part(
    audit: CopyAudit,
    data_copying: DataCopying,
    leaks: Sequence[tuple[str, str]],
    class_names: Sequence[str],
    extractor: str,
) -> AuditPart:
    """The part of the result.

    Args:
      audit: of copies of training images.
      data_copying: the test, with a cell for each class.
      leaks: (synthetic id, test id) of exact copies of test images.
      class_names: names of the classes.
      extractor: name of the features' extractor.
    """
    return AuditPart.model_validate(
        {
            "copies": int(audit.flagged.sum()),
            "share": audit.share,
            "per_class": [_class_copies(audit, data_copying, label, name) for label, name in enumerate(class_names)],
            "false_alarms": audit.false_alarms,
            "reference": audit.reference,
            "num_references": audit.num_references,
            "extractor": extractor,
            "spaces": [
                {"space": space, "threshold": nearness.threshold, "copies": int(nearness.flagged.sum())}
                for space, nearness in audit.spaces.items()
            ],
            "data_copying": {"statistic": data_copying.statistic, "p": data_copying.p},
            "pairs": [
                {
                    "class": class_names[pair.label],
                    "synthetic_id": pair.synthetic_id,
                    "real_id": pair.real_id,
                    "space": pair.space,
                    "distance": pair.distance,
                    "score": pair.score,
                }
                for pair in audit.surest_pairs(MOST_PAIRS_PER_CLASS)
            ],
            "num_leaks": len(leaks),
            "leaks": [{"synthetic_id": ours, "test_id": theirs} for ours, theirs in leaks[:MOST_LEAKS]],
        }
    )


def _class_copies(audit: CopyAudit, data_copying: DataCopying, label: int, name: str) -> dict[str, Any]:
    counts, copies, z = (
        values[label] if label < len(values) else np.nan
        for values in (audit.class_counts, audit.class_copies, data_copying.z)
    )
    synthetic = int(np.nan_to_num(counts))
    return {
        "class": name,
        "synthetic": synthetic,
        "copies": int(np.nan_to_num(copies)),
        "share": float(copies / counts) if synthetic else None,
        "data_copying_z": float(z) if np.isfinite(z) else None,
    }
