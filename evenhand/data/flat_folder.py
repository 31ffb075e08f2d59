"""A folder of images without class folders, for what needs no classes: all of it is one class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from evenhand.data.decode import read_file
from evenhand.data.image_set import ImageSet
from evenhand.data.packed_strings import PackedStrings
from evenhand.data.sources.folder import SUFFIXES

CLASS_NAME = "images"


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith("."))


def is_flat(folder: Path) -> bool:
    """Whether `folder` holds image files and no folder that could be a class."""
    if not folder.is_dir() or any(entry.is_dir() and not entry.name.startswith(".") for entry in os.scandir(folder)):
        return False
    return any(name.lower().endswith(SUFFIXES) for name in _names(folder))


def open_flat(folder: Path) -> ImageSet:
    """Its image files in order of name, all of the class `CLASS_NAME`."""
    listed = _names(folder)
    names = PackedStrings(name for name in listed if name.lower().endswith(SUFFIXES))
    others = [name for name in listed if not name.lower().endswith(SUFFIXES)]

    def identify(index: int) -> str:
        return "folder/" + names[index].encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    return ImageSet(
        class_names=(CLASS_NAME,),
        labels=np.zeros(len(names), np.int32),
        splits=np.zeros(len(names), np.uint8),
        identify=identify,
        read=lambda index: read_file(folder / names[index]),
        unreadable=[(name, "is no image by its name") for name in others],
    )
