"""Names within a sentence: the first ones, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 8
"""Names that a sentence gives."""


def listed(names: Sequence[str]) -> str:
    """The names as a sentence lists them, e.g. `a`, `a and b`, `a, b and 3 more`.

    Args:
      names: one or more; after the first eight the others are counted.
    """
    shown = list(names) if len(names) <= MOST else [*names[:MOST], f"{len(names) - MOST} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
