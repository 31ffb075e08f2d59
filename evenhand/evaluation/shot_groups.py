"""Many-, medium- and few-shot classes, as papers on long tails report them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

ShotGroup = Literal["many", "medium", "few"]

MANY, FEW = 100, 20
"""More than 100 training images make many shots, fewer than 20 few (Liu et al., Large-Scale Long-Tailed Recognition in
an Open World, 2019)."""


def shot_group(train_count: int) -> ShotGroup:
    """The group of a class with so many real training images."""
    if train_count > MANY:
        return "many"
    return "few" if train_count < FEW else "medium"


def group_recalls(train_counts: Sequence[int], recalls: Sequence[float | None]) -> dict[ShotGroup, float]:
    """Mean recall of the classes of each group, for the groups that hold a class with test images.

    Args:
      train_counts: real training images of each class.
      recalls: recall of each class on test images; None without any.
    """
    groups: dict[ShotGroup, list[float]] = {"many": [], "medium": [], "few": []}
    for count, recall in zip(train_counts, recalls, strict=True):
        if recall is not None:
            groups[shot_group(count)].append(recall)
    return {name: float(np.mean(values)) for name, values in groups.items() if values}
