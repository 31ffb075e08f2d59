"""What filters did, in words."""

from __future__ import annotations

from evenhand.named import counted
from evenhand.report.filters_part import FiltersPart

MEANINGS = {
    "class_probability": "the images that the baseline finds likeliest to be of their class",
    "discriminator_score": "the images that look most real to the generator's discriminator",
    "uncertainty": "the images that the baseline is least sure about",
    "distance": "the images that are no copies of training images",
    "agreement": "the images that the baseline takes for their class",
}
"""What each filter keeps."""


def sentences(part: FiltersPart) -> list[str]:
    """How many images were drawn, dropped and used, and which classes lost all, one sentence each."""
    are, these = ("is", "it") if part.used == 1 else ("are", "these")
    drawn = counted(part.drawn, "synthetic image")
    said = [f"{part.used} of {drawn} {are} used; quality and copies are told of {these} alone."]
    for entry in part.filters:
        meaning = f" keeps {MEANINGS[entry.name]}" if entry.name in MEANINGS else ""
        said.append(f"{entry.name}{meaning}: {entry.kept} of {entry.given}.")
    surplus = sum(row.passed - row.used for row in part.per_class)
    if surplus:
        said.append(f"{surplus} more passed than were asked for: the first of each class are used.")
    empty = [row.class_ for row in part.per_class if row.asked and not row.used]
    if empty:
        said.append(f"Nothing is left of {', '.join(empty)}.")
    return said
