"""Values of a configuration in words, for readers who know no Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def settings_in_words(settings: Mapping[str, Any]) -> str:
    """Settings by name, e.g. `share 0.5, device (distribution none)`; what is absent is left out.

    Args:
      settings: by name, perhaps with settings within.
    """
    told = {name: setting for name, setting in settings.items() if setting is not None}
    return ", ".join(f"{name.replace('_', ' ')} {in_words(setting)}" for name, setting in told.items())


def in_words(value: object) -> str:
    """One value: numbers to four digits, `yes` and `no`, settings in parentheses, and `none` for none of these."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case Mapping():
            return f"({settings_in_words(value)})" if value else "none"
        case list() | tuple():
            return f"({', '.join(in_words(entry) for entry in value)})" if value else "none"
        case None:
            return "none"
        case _:
            return str(value)
