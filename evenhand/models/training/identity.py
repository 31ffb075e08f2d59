"""What a training is: a digest of all that its numbers depend on, by which a checkpoint is known as its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.data.image_table import ImageTable

_ROWS = 1024


def training_identity(
    settings: Mapping[str, Any],
    tables: Sequence[ImageTable | None],
    weights: Sequence[NDArray[Any]] = (),
) -> str:
    """64 hexadecimal digits, equal for equal settings, images and weights only.

    Args:
      settings: anything JSON holds.
      tables: the images that the training sees, in a fixed order; None where there are none.
      weights: those that it starts from, where they come from a file.
    """
    found = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for table in tables:
        found.update(b"none" if table is None else json.dumps(table.class_names).encode())
        if table is not None:
            keypoints = () if table.keypoints is None else (table.keypoints,)
            for values in (table.images, table.labels, *keypoints):
                _add(found, values)
    for values in weights:
        _add(found, values)
    return found.hexdigest()


def _add(found: Any, values: NDArray[Any]) -> None:
    """Adds an array in slices, since images may be mapped from a disk."""
    found.update(f"{values.dtype}{values.shape}".encode())
    rows = np.atleast_1d(values)
    for start in range(0, len(rows), _ROWS):
        found.update(np.ascontiguousarray(rows[start : start + _ROWS]).data)
