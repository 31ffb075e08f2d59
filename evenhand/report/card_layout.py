"""What a run's cards have in common: Markdown that can be pasted into a paper, with only what the result holds.

Sections as in Mitchell et al., Model Cards for Model Reporting, 2019. What a program cannot know (who took the images,
with whose consent, under which licence) is asked of the authors, never made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Section = tuple[str, Sequence[str]]
"""A heading, and the lines below it."""

FOLDER = "folder"
"""The generator that draws nothing: images of the user's own."""

ASKED = "- *To be filled in by the authors: "


def document(title: str, sections: Iterator[Section]) -> str:
    """The card as Markdown."""
    parts = [f"# {title}"]
    for heading, lines in sections:
        parts += [f"## {heading}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a table whose columns but the first are numbers."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return lines + [f"| {' | '.join(str(entry) for entry in row)} |" for row in rows]


def part(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A section of a config; empty where it has none."""
    found = config.get(key)
    return found if isinstance(found, Mapping) else {}
