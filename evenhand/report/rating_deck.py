"""The images of a human study: as many real as synthetic ones of each class, in an order that tells nothing."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evenhand.data.image_table import ImageTable

_ABOUT_IMAGES = 200
"""What a rater does in about ten minutes."""


@dataclass(frozen=True, eq=False)
class Card:
    """An image to rate.

    Attributes:
      image_id: its id.
      class_name: name of its class.
      source: where it comes from; never shown.
      pixels: uint8[h, w, c], where they lie in the table.
    """

    image_id: str
    class_name: str
    source: Literal["real", "synthetic"]
    pixels: NDArray[np.uint8]

    @property
    def png(self) -> bytes:
        """The encoded image; all images of a study have equally many bytes.

        Uncompressed: how well an image compresses would tell a real one from a smooth or noisy synthetic one.
        """
        from PIL import Image  # reading ratings needs no Pillow

        output, pixels = io.BytesIO(), np.asarray(self.pixels)
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(output, "PNG", compress_level=0)
        return output.getvalue()


def usual_per_class(num_classes: int) -> int:
    """Real images of each class, and synthetic ones, that make a study of about ten minutes: 2 to 20."""
    return min(20, max(2, _ABOUT_IMAGES // (2 * num_classes)))


def deal(real: ImageTable, synthetic: ImageTable, *, per_class: int, seed: int, rater: str) -> list[Card]:
    """Chooses images and puts them in a rater's order.

    A larger `per_class` keeps the images of a smaller one, so that a study can be made longer.

    Args:
      real: held-out real images.
      synthetic: synthetic images of the same classes and size.
      per_class: images of each class and source; of both fewer where one has fewer.
      seed: chooses the images, for all raters alike, so that their agreement can be measured.
      rater: the order is the rater's own, so that it favours no image over all raters.

    Returns:
      The cards; classes without real or without synthetic images have none.
    """
    cards = [
        Card(image_id, name, source, table.images[row])
        for k, name in enumerate(real.class_names)
        for source, table, row, image_id in _chosen(real, synthetic, k, per_class, seed)
    ]
    return sorted(cards, key=lambda card: _draw(seed, rater, card.image_id))


def _chosen(
    real: ImageTable, synthetic: ImageTable, label: int, per_class: int, seed: int
) -> Iterator[tuple[Literal["real", "synthetic"], ImageTable, int, str]]:
    rows = [np.flatnonzero(table.labels == label) for table in (real, synthetic)]
    count = min(per_class, *(len(of_class) for of_class in rows))
    sides: tuple[tuple[Literal["real", "synthetic"], ImageTable], ...] = (("real", real), ("synthetic", synthetic))
    for (source, table), of_class in zip(sides, rows, strict=True):
        by_lot = sorted(of_class.tolist(), key=lambda row: _draw(seed, "images", str(table.ids[row])))  # noqa: B023
        for row in by_lot[:count]:
            yield source, table, row, str(table.ids[row])


def _draw(seed: int, purpose: str, image_id: str) -> bytes:
    # A lot that depends on the image alone: no other image, and no order of files, changes it.
    return hashlib.sha256(f"{seed}\0{purpose}\0{image_id}".encode()).digest()
