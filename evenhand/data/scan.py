"""Reads every image once, to find what cannot be read, what is the same picture, and what sizes there are.

Keeps 30 bytes an image and never more pixels than the images being decoded at the moment.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand import progress
from evenhand.data.decode import UnreadableImage, canonical, decode
from evenhand.data.image_set import ImageSet
from evenhand.data.marks import is_marked

_CHUNK = 256
_DIGEST_BYTES = 16


@dataclass(frozen=True)
class Scan:
    """What was found, by index of the image.

    Attributes:
      digests: void16[n], of the picture at its own size; zero where unreadable.
      heights: int32[n], in pixels; 0 where unreadable.
      widths: int32[n], in pixels; 0 where unreadable.
      coloured: bool[n], whether any pixel is not grey.
      marked: bool[n], whether the image says of itself that a model made it.
      skipped: (id, reason) of the unreadable images, in order.
    """

    digests: NDArray[np.void]
    heights: NDArray[np.int32]
    widths: NDArray[np.int32]
    coloured: NDArray[np.bool_]
    marked: NDArray[np.bool_]
    skipped: tuple[tuple[str, str], ...]

    @property
    def readable(self) -> NDArray[np.bool_]:
        """bool[n]."""
        return self.heights > 0


def scan(images: ImageSet) -> Scan:
    """Decodes every image of a source, on all cores."""
    size = len(images)
    found = Scan(
        digests=np.zeros(size, f"V{_DIGEST_BYTES}"),
        heights=np.zeros(size, np.int32),
        widths=np.zeros(size, np.int32),
        coloured=np.zeros(size, bool),
        marked=np.zeros(size, bool) if images.synthetic is None else images.synthetic.copy(),
        skipped=(),
    )
    skipped: list[tuple[str, str]] = []
    # Pillow and hashlib release the interpreter's lock, so threads do; each fills its own rows of the arrays.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        chunks = (range(start, min(start + _CHUNK, size)) for start in range(0, size, _CHUNK))
        done = 0
        for rows, problems in threads.map(lambda rows: (rows, list(_scan_rows(images, rows, found))), chunks):
            skipped += problems
            done += len(rows)
            progress.advance("scan images", done, size, "image")
    return replace(found, skipped=tuple(skipped))


def _scan_rows(images: ImageSet, rows: range, found: Scan) -> Iterator[tuple[str, str]]:
    """Fills in `rows`; gives (id, reason) of those that cannot be read."""
    for row in rows:
        try:
            content = images.read(row)
            pixels = decode(content) if isinstance(content, bytes) else canonical(content)
            found.marked[row] |= isinstance(content, bytes) and is_marked(content)
        except UnreadableImage as error:
            yield images.identify(row), str(error)
        except OSError as error:
            yield images.identify(row), f"cannot be read ({error.strerror or error})"
        else:
            height, width, channels = pixels.shape
            picture = hashlib.blake2b(pixels.tobytes(), digest_size=_DIGEST_BYTES)
            picture.update(b"%d %d" % (height, width))
            found.digests[row] = np.void(picture.digest())
            found.heights[row], found.widths[row] = height, width
            found.coloured[row] = channels == 3
