"""A short name for what files hold."""

from __future__ import annotations

import hashlib
from pathlib import Path

_BLOCK = 2**20


def files_digest(path: Path) -> str:
    """Eight hexadecimal digits over the contents of a file, or over names and contents of all files of a folder."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        digest.update(file.relative_to(path).as_posix().encode())
        with open(file, "rb") as content:
            while block := content.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()[:8]
