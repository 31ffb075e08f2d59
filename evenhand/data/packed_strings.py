"""Many short strings in one buffer: a million file names without a million Python objects."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


class PackedStrings:
    """An immutable sequence of strings; each costs its bytes and 8 more.

    Example:
      >>> names = PackedStrings(["a.png", "b.png"])
      >>> names[1], len(names)
      ('b.png', 2)

    Args:
      strings: any strings, also file names that are not valid UTF-8.
    """

    def __init__(self, strings: Iterable[str]) -> None:
        buffer, ends = bytearray(), [0]
        for string in strings:
            buffer += string.encode("utf-8", "surrogateescape")
            ends.append(len(buffer))
        self._bytes, self._ends = bytes(buffer), np.asarray(ends, np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._bytes[self._ends[index] : self._ends[index + 1]].decode("utf-8", "surrogateescape")
