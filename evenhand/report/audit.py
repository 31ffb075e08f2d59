"""What the audit for copies says, in words."""

from __future__ import annotations

from evenhand.report.audit_part import AuditPart, DataCopyingPart

UNLIKELY = 0.00135
"""Probability of a normal value beyond three standard deviations, where the paper speaks of copying or underfitting."""


def sentences(audit: AuditPart) -> list[str]:
    """What was found, how it was measured, and what was leaked, one sentence each."""
    total = sum(seen.synthetic for seen in audit.per_class)
    said = [
        f"{audit.copies} of {total} synthetic images ({audit.share:.1%}) are flagged as copies of training images; of "
        f"real images that the generator never saw, {audit.false_alarms:.0%} would be.",
        _reference(audit),
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


def _data_copying(test: DataCopyingPart) -> str:
    if test.statistic is None or test.p is None:
        return "There are too few images of every class for the test of data-copying."
    value = f"C_T = {test.statistic:.1f}, p = {test.p:.2g} (Meehan et al., 2020)"
    if test.p < UNLIKELY:
        return f"As a whole, the images lie nearer to the training images than fresh real ones do: {value}."
    if test.p > 1.0 - UNLIKELY:
        return f"As a whole, the images lie farther from the training images than fresh real ones do: {value}."
    return f"As a whole, the images lie about as near to the training images as fresh real ones do: {value}."
