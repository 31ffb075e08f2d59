"""Names and counts within a sentence."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 8
"""Names that a sentence gives."""


def counted(number: int, noun: str) -> str:
    """A number and what it counts, in the plural where it is not one, e.g. `1 image`, `20 synthetic images`.

    Args:
      number: of things.
      noun: the singular of a noun whose plural ends in `s`.
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """The names as a sentence lists them, e.g. `a`, `a and b`, `a, b and 3 more`.

    Args:
      names: one or more; after the first eight the others are counted.
    """
    shown = list(names) if len(names) <= MOST else [*names[:MOST], f"{len(names) - MOST} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
