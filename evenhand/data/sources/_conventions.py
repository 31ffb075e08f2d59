"""What the built-in sources share: paths, names of splits, and class numbering."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Data
from evenhand.errors import UserError

OWN_SPLITS = {"train": 1, "training": 1, "validation": 2, "valid": 2, "val": 2, "test": 3}
"""What sources call their own splits -> index into `image_set.SPLITS`."""


def required_path(config: Data) -> Path:
    """`data.path`, which must exist.

    Raises:
      UserError: if it is not set or does not exist.
    """
    if config.path is None:
        raise UserError("data.path", f"is not set, but the source {config.source} needs one", "set it")
    path = Path(config.path)
    if not os.path.exists(path):
        raise UserError(config.path, "does not exist", "check data.path")
    return path


def required_file(config: Data) -> Path:
    """`data.path`, which must be a file; raises as `required_path`."""
    path = required_path(config)
    if not os.path.isfile(path):
        raise UserError(str(path), f"is no file, which the source {config.source} reads", "check data.path")
    return path


def number(names: Iterable[str]) -> tuple[list[str], dict[str, int]]:
    """Distinct names in order, and their numbers; names that are all whole numbers are ordered by value."""
    distinct = set(names)
    by_value = all(name.isascii() and name.isdigit() for name in distinct)
    ordered = sorted(distinct, key=(lambda name: (int(name), name)) if by_value else None)
    return ordered, {name: index for index, name in enumerate(ordered)}


def named_classes(where: str, labels: NDArray[np.integer], class_names: Sequence[str] | None) -> tuple[str, ...]:
    """Names for integer labels: those given, else the numbers themselves.

    Raises:
      UserError: if a label is out of range, or, without names, numbers below the highest label are not used.
    """
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=-1))
    if class_names is not None:
        if lowest < 0 or highest >= len(class_names):
            bad = lowest if lowest < 0 else highest
            raise UserError(
                where, f"label {bad} is out of range: there are {len(class_names)} class names", "correct it"
            )
        return tuple(class_names)
    if lowest < 0:
        raise UserError(where, f"label {lowest} is out of range: labels run from 0", "correct it")
    present = np.unique(labels)
    if len(present) != highest + 1:
        gap = int(np.flatnonzero(present != np.arange(len(present)))[0])
        raise UserError(
            where,
            f"label {highest} is out of range: labels run from 0 without gaps, but none is {gap}",
            "correct it, or name all classes in data.options.class_names",
        )
    return tuple(str(label) for label in range(highest + 1))
