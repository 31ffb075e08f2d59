"""Pictures inside the page: no larger than they are shown, and no more of them than the page can carry."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SIDE = 48
"""px, of the longest side that is kept; pictures are shown at 44 to 48."""

MOST_CHARACTERS = 1_500_000
"""Of all pictures of one section, where it does not say otherwise."""

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """A picture that the page may show.

    Attributes:
      group: what stands in one row, e.g. a class.
      kind: where in the row, e.g. `real`.
      words: what is to be said of it.
      png: the encoded picture.
    """

    group: str
    kind: str
    words: str
    png: bytes


Gallery = dict[str, dict[str, list[dict[str, str]]]]
"""group -> kind -> pictures with their `uri` and `words`."""


def uri(png: bytes) -> str:
    """A PNG as an address that holds it, shrunk to `SIDE` pixels; the mark of a synthetic image stays on it."""
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))
    if png.startswith(_PNG) and max(width, height) > SIDE:
        from evenhand.data.decode import decode, encode_png, to_pixels
        from evenhand.data.marks import is_marked

        pixels = decode(png)
        png = encode_png(to_pixels(pixels, SIDE, pixels.shape[2]), synthetic=is_marked(png))
    return "data:image/png;base64," + base64.b64encode(png).decode()


def gallery(pictures: Sequence[Picture], kinds: Sequence[str], most: int = MOST_CHARACTERS) -> Gallery:
    """Rows of pictures, equally many for each group: as many as the page can carry.

    Args:
      pictures: in the order in which groups and pictures are shown.
      kinds: every kind; a row has a list for each, perhaps an empty one.
      most: characters of all pictures together.

    Returns:
      The first pictures of every group and kind. Where not even one of each fits, the first groups alone have any.
    """
    groups: dict[str, dict[str, list[Picture]]] = {}
    for picture in pictures:
        groups.setdefault(picture.group, {kind: [] for kind in kinds})[picture.kind].append(picture)
    found: Gallery = {}
    place = 0
    while True:
        rows = {name: list(_at(place, row)) for name, row in groups.items()}
        sizes = {name: sum(len(address) for _, address in row) for name, row in rows.items()}
        if not sum(sizes.values()) or (place and sum(sizes.values()) > most):
            return found
        for name, row in rows.items():
            if sizes[name] > most:
                return found
            most -= sizes[name]
            shown = found.setdefault(name, {kind: [] for kind in kinds})
            for picture, address in row:
                shown[picture.kind].append({"uri": address, "words": picture.words})
        place += 1


def _at(place: int, row: dict[str, list[Picture]]) -> Iterator[tuple[Picture, str]]:
    """The picture of each kind at a place, with its address."""
    for pictures in row.values():
        for picture in pictures[place : place + 1]:
            yield picture, uri(picture.png)
