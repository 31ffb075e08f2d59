"""What the audit for copies says, in words."""

from __future__ import annotations

from evenhand.named import counted, listed
from evenhand.report.audit_part import AuditPart, DataCopyingPart

_FAR = 3.0
"""Standard deviations beyond which the paper speaks of copying or underfitting."""

UNLIKELY = 0.00135
"""Probability of a normal value beyond them."""


def sentences(audit: AuditPart) -> list[str]:
    """What was found, how it was measured, and what was leaked, one sentence each."""
    total = sum(seen.synthetic for seen in audit.per_class)
    flagged = "is flagged as a copy" if audit.copies == 1 else "are flagged as copies"
    leaked = leak(audit)
    return [
        *([f"{leaked}."] if leaked else []),
        f"{audit.copies} of {counted(total, 'synthetic image')} ({audit.share:.1%}) {flagged} of training images; of "
        f"real images that the generator never saw, {audit.false_alarms:.0%} would be.",
        _reference(audit),
        *_copied_classes(audit),
        _data_copying(audit.data_copying),
    ]


def leak(audit: AuditPart) -> str | None:
    """How many synthetic images are exact copies of test images, and what follows; None where none is."""
    if not audit.num_leaks:
        return None
    is_one = audit.num_leaks == 1
    copies = "is an exact copy of a test image" if is_one else "are exact copies of test images"
    return (
        f"{counted(audit.num_leaks, 'synthetic image')} {copies}, so that the scores of strategies that learn from "
        f"{'it' if is_one else 'them'} mean nothing"
    )


def too_many_copies(audit: AuditPart, most: float | None) -> str | None:
    """That more synthetic images are copies of training images than were allowed; None where that is not so.

    Args:
      audit: what was found.
      most: the share that was allowed, `synthetic.max_copy_share`; None for any.
    """
    if most is None or audit.share <= most:
        return None
    return (
        f"{audit.share:.1%} of the synthetic images are copies of training images, more than the {most:.1%} that were "
        "allowed"
    )


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
