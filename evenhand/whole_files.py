"""Files that appear whole or not at all: a reader sees the old content or the new, never a part."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file beside `path` that takes its place, flushed to the disk, when the context ends without an error.

    Args:
      path: the file to write; what stands there stays until the new content is whole.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Writes `text` to `path` in UTF-8, as `replacing` does."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))
