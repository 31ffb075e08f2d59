"""A folder with one folder of images per class, or `train`, `validation` and `test` folders above such ones.

A class is called as its folder is. Not every class name can be a folder's, though: beside exported images, the manifest
tells what the class in a folder is really called.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Data, Section, parse_options
from evenhand.data.decode import read_file
from evenhand.data.fingerprint import of_files
from evenhand.data.image_set import ImageSet
from evenhand.data.marks import MANIFEST, class_names_of_folders
from evenhand.data.packed_strings import PackedStrings
from evenhand.data.sources._conventions import OWN_SPLITS, number, required_path
from evenhand.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


class Options(Section):
    """A folder has no options; `data.group` tells persons or patients apart by file name."""


@dataclass
class _Listing:
    """The image files below a folder, in order of class, then name."""

    classes: list[str]
    labels: list[int] = field(default_factory=list)
    splits: list[int] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    manifests: list[str] = field(default_factory=list)
    """Paths below the folder of the manifests that call a class otherwise than its folder."""

    def walk(self, root: Path, splits: dict[str, int], class_folders: dict[str, dict[str, str]]) -> Iterator[str]:
        """Paths below `root` of the image files, noting label and split of each, and files that are none."""
        numbers = {name: label for label, name in enumerate(self.classes)}
        for split, index in splits.items():
            for name, class_name in class_folders[split].items():
                for path in _files(root / split / name):
                    relative = path[len(str(root)) + 1 :]
                    if not path.lower().endswith(SUFFIXES):
                        self.others.append(relative)
                        continue
                    self.labels.append(numbers[class_name])
                    self.splits.append(index)
                    yield relative


def _folders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def _files(folder: Path) -> Iterator[str]:
    """Regular files at any depth, sorted; hidden ones are no one's images."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(parent, name)
            if not name.startswith(".") and os.path.isfile(path):
                yield path


def _splits(root: Path) -> dict[str, int]:
    """Folders above the class folders -> index into `SPLITS`; `{"": 0}` where the classes stand at the top."""
    folders = _folders(root)
    if (
        folders
        and all(name.lower() in OWN_SPLITS for name in folders)
        and any(OWN_SPLITS[name.lower()] == 1 for name in folders)
    ):
        return {name: OWN_SPLITS[name.lower()] for name in folders}
    for name in folders:
        if OWN_SPLITS.get(name.lower()) == 1 and _holds_classes(root / name):
            others = ", ".join(other for other in folders if other.lower() not in OWN_SPLITS)
            raise UserError(
                str(root),
                f"holds {name}/ with folders of classes in it beside {others}, so what the classes are is unclear",
                f"move {others} away",
            )
    return {"": 0}


def _holds_classes(folder: Path) -> bool:
    """Whether there are folders, at least two as for classes, and no image beside them."""
    files = (entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith("."))
    return len(_folders(folder)) > 1 and not any(name.lower().endswith(SUFFIXES) for name in files)


def _class_folders(folder: Path) -> dict[str, str]:
    """Name of each class folder, in order -> name of its class."""
    told = class_names_of_folders(folder)
    return {name: told.get(name, name) for name in _folders(folder)}


def _list(config: Data) -> tuple[Path, _Listing, PackedStrings]:
    root = required_path(config)
    if not root.is_dir():
        raise UserError(str(root), "is no folder", "give a folder with one folder of images per class")
    root = Path(os.path.abspath(root))
    splits = _splits(root)
    class_folders = {split: _class_folders(root / split) for split in splits}
    classes, _ = number(name for folders in class_folders.values() for name in folders.values())
    renamed = [split for split, folders in class_folders.items() if any(name != folders[name] for name in folders)]
    listing = _Listing(classes, manifests=[os.path.join(split, MANIFEST) for split in renamed])
    names = PackedStrings(listing.walk(root, splits, class_folders))
    if not len(names):
        raise UserError(
            str(config.path),
            f"holds no images in class folders ({', '.join(SUFFIXES)})",
            "give a folder with one folder of images per class",
        )
    return root, listing, names


def open_source(config: Data) -> ImageSet:
    """Lists the files; a class is named by the manifest of an export or else by its folder, an image by its path.

    Raises:
      UserError: if `data.path` is no folder, holds no images, `data.group` does not fit a file name, or a manifest is
        damaged.
    """
    parse_options(Options, config.options, "data.options")
    root, listing, names = _list(config)

    def read(index: int) -> bytes:
        return read_file(os.path.join(root, names[index]))

    return ImageSet(
        class_names=tuple(listing.classes),
        labels=np.asarray(listing.labels, np.int32),
        splits=np.asarray(listing.splits, np.uint8),
        identify=lambda index: _identify(names[index]),
        read=read,
        groups=None if config.group is None else _groups(config.group, names),
        unreadable=[(_identify(name), "is no image by its name") for name in listing.others],
    )


def _identify(relative: str) -> str:
    # File names may hold bytes that are no text; ids are text.
    return "folder/" + relative.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _groups(pattern: str, names: PackedStrings) -> NDArray[np.int32]:
    """int32[n], numbered as the groups first appear."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError("data.group", f"is no regular expression ({error})", "correct it") from error
    if not expression.groups:
        raise UserError("data.group", "has no group in parentheses", "put what names the person or patient in ( )")
    numbers: dict[str, int] = {}
    groups = np.empty(len(names), np.int32)
    for index in range(len(names)):
        name = os.path.basename(names[index])
        match = expression.search(name)
        if match is None or match[1] is None:
            raise UserError("data.group", f"does not match the file name {name!r}", "let it match every file name")
        groups[index] = numbers.setdefault(match[1], len(numbers))
    return groups


def fingerprint(config: Data) -> str:
    """Digest over the paths below the folder and the contents of the files, and of manifests that name classes."""
    root, listing, names = _list(config)
    files = chain(listing.manifests, (names[index] for index in range(len(names))))
    return of_files((name, os.path.join(root, name)) for name in files)
