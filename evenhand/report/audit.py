"""What the audit for copies says, in words."""

from __future__ import annotations

from evenhand.named import listed
from evenhand.report.audit_part import AuditPart, DataCopyingPart

_FAR = 3.0
"""Standard deviations beyond which the paper speaks of copying or underfitting."""

UNLIKELY = 0.00135
"""Probability of a normal value beyond them."""


def sentences(audit: AuditPart) -> list[str]:
    """What was found, how it was measured, and what was leaked, one sentence each."""
    total = sum(seen.synthetic for seen in audit.per_class)
    said = [
        f"{audit.copies} of {total} synthetic images ({audit.share:.1%}) are flagged as copies of training images; of "
        f"real images that the generator never saw, {audit.false_alarms:.0%} would be.",
        _reference(audit),
        *_copied_classes(audit),
        _data_copying(audit.data_copying),
    ]
    if audit.num_leaks:
        said.insert(0, f"{audit.num_leaks} synthetic images repeat test images pixel by pixel: a leak.")
    return said


def _reference(audit: AuditPart) -> str:
    if audit.reference == "held-out":
        return f"The thresholds come from {audit.num_references} held-out real images."
    return (
        f"There are too few held-out images for thresholds: they come from {audit.num_references} training images, "
        "each against the others."
    )


def _copied_classes(audit: AuditPart) -> list[str]:
    """The classes whose images lie too near to the training images, which the mean over all classes may hide."""
    near = [seen for seen in audit.per_class if seen.data_copying_z is not None and seen.data_copying_z < -_FAR]
    if not near:
        return []
    near.sort(key=lambda seen: seen.data_copying_z or 0.0)
    named = [f"{seen.class_} (z = {seen.data_copying_z:.1f})" for seen in near]
    return [
        f"In {'this class' if len(near) == 1 else 'these classes'} the images lie nearer to the training images than "
        f"fresh real ones do, which is what copying looks like: {listed(named)}."
    ]


def _data_copying(test: DataCopyingPart) -> str:
    if test.statistic is None or test.p is None:
        return "There are too few images of every class for the test of data-copying."
    tail = min(test.p, 1.0 - test.p)
    # The upper tail is one less the lower one, so that of what is tiny nothing is left.
    told = f"p = {tail:.2g}" if tail else "p below 1e-15"
    value = f"C_T = {test.statistic:.1f}, one-sided {told} (Meehan et al., 2020)"
    if test.p < UNLIKELY:
        return f"As a whole, the images lie nearer to the training images than fresh real ones do: {value}."
    if test.p > 1.0 - UNLIKELY:
        return f"As a whole, the images lie farther from the training images than fresh real ones do: {value}."
    return f"As a whole, the images lie about as near to the training images as fresh real ones do: {value}."
