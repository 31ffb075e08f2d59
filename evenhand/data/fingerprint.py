"""A digest of everything a source reads, so that a run notices new, changed and renamed images."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from evenhand import registry
from evenhand.config import Data
from evenhand.data import pose

STATE_VARIABLE = "EVENHAND_STATE"
"""Environment variable with the folder that remembers content hashes; without it every file is read every time."""

_SETTLED_SECONDS = 2.0
"""A file changed this recently may change again within the same tick of its clock, so its hash is not remembered."""


def fingerprint(config: Data) -> str:
    """The digest of the configured source: names, sizes and contents of what it reads, also to find key points.

    Args:
      config: the `data` section.

    Returns:
      32 hexadecimal digits.

    Raises:
      UserError: if the source does not exist, or what finding key points needs.
    """
    if config.keypoints is None:
        return _of_source(config)
    # First of all, since it is quick and tells what is missing.
    keypoints = of_files(pose.files(config.keypoints))
    return hashlib.blake2b((_of_source(config) + keypoints).encode(), digest_size=16).hexdigest()


def _of_source(config: Data) -> str:
    return str(registry.load("data.sources", config.source).fingerprint(config))


def of_files(files: Iterable[tuple[str, str | os.PathLike[str]]]) -> str:
    """The digest of (name, path) pairs; moving all files to another folder does not change it.

    Contents are read once: their hashes are remembered by path, size and time of change, below the folder that the
    environment variable `EVENHAND_STATE` names.
    """
    total = hashlib.blake2b(digest_size=16)
    with _memory() as memory:
        for name, path in files:
            for part in (name.encode("utf-8", "surrogateescape"), _content_hash(os.fspath(path), memory)):
                total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()


@contextmanager
def _memory() -> Iterator[sqlite3.Connection | None]:
    state = os.environ.get(STATE_VARIABLE)
    if not state:
        yield None
        return
    Path(state).mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(Path(state) / "content_hashes.sqlite", timeout=60)) as memory:
        memory.execute(
            "CREATE TABLE IF NOT EXISTS hashes (path BLOB PRIMARY KEY, size INTEGER, changed INTEGER, hash BLOB)"
        )
        yield memory
        memory.commit()


def _content_hash(path: str, memory: sqlite3.Connection | None) -> bytes:
    stat = os.stat(path)
    key = os.fsencode(os.path.abspath(path))
    if memory is not None:
        row = memory.execute("SELECT size, changed, hash FROM hashes WHERE path = ?", (key,)).fetchone()
        if row is not None and row[:2] == (stat.st_size, stat.st_mtime_ns):
            return bytes(row[2])
    with open(path, "rb") as file:
        content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    if memory is not None and time.time() - stat.st_mtime > _SETTLED_SECONDS:
        memory.execute(
            "INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?)", (key, stat.st_size, stat.st_mtime_ns, content)
        )
    return content
