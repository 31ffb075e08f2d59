"""What a user types for SOURCE, as the `data` section of a config."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from evenhand.errors import UserError

_EXPORTED_ARCHIVE = "images.npz"


def data_section(text: str) -> dict[str, Any]:
    """The `data` section for a SOURCE.

    A folder is one of images, unless it holds TFRecord files or nothing but the archive of `evenhand export`.

    Raises:
      UserError: if it is no source that exists.
    """
    path = Path(text)
    if text == "digits":
        return {"source": "digits"}
    if text.startswith("tfds:"):
        return {"source": "tfds", "path": text.removeprefix("tfds:")}
    if os.path.isdir(path):
        return _folder(path)
    if path.suffix in (".npz", ".csv"):
        return {"source": path.suffix[1:], "path": text}
    if "tfrecord" in path.name or any(sign in text for sign in "*?["):
        return {"source": "tfrecord", "path": text}
    raise UserError(
        text, "is no source that exists", "give digits, a folder, an .npz or .csv file, a TFRecord pattern or tfds:NAME"
    )


def _folder(folder: Path) -> dict[str, Any]:
    from evenhand.data.marks import MANIFEST

    names = {entry.name for entry in os.scandir(folder)}
    if names - {MANIFEST} == {_EXPORTED_ARCHIVE}:
        return {"source": "npz", "path": str(folder / _EXPORTED_ARCHIVE)}
    return {"source": "tfrecord" if any("tfrecord" in name for name in names) else "folder", "path": str(folder)}
