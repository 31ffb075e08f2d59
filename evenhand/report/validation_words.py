"""What validation stands on, in words: how many images, and which classes have none."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.named import listed
from evenhand.report.result import Result


def classes_have_none(names: Sequence[str]) -> str:
    """Says of one or more classes that they have none, e.g. `classes 6, 7 and 8 have none`."""
    return f"class {names[0]} has none" if len(names) == 1 else f"classes {listed(names)} have none"


def on_validation(result: Result) -> str | None:
    """What scores on validation were measured on, e.g. `on 27 validation images; class 9 has none`.

    Returns:
      The words; None without validation images.
    """
    count = sum(counts.validation for counts in result.data.classes)
    if count == 0:
        return None
    words = f"on {count} validation {'image' if count == 1 else 'images'}"
    without = [counts.name for counts in result.data.classes if counts.validation == 0]
    return f"{words}; {classes_have_none(without)}" if without else words


def validation_sentence(result: Result) -> str | None:
    """Says which classes had no say when strategies were chosen.

    Returns:
      One sentence; None where every class has a validation image, or no class has one.
    """
    words = on_validation(result)
    if words is None or all(counts.validation for counts in result.data.classes):
        return None
    return f"Strategies were chosen {words}."
