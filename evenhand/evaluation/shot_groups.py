"""Many-, medium- and few-shot classes, as papers on long tails report them."""

from __future__ import annotations

from typing import Literal

ShotGroup = Literal["many", "medium", "few"]

MANY, FEW = 100, 20
"""More than 100 training images make many shots, fewer than 20 few (Liu et al., Large-Scale Long-Tailed Recognition in
an Open World, 2019)."""


def shot_group(train_count: int) -> ShotGroup:
    """The group of a class with so many real training images."""
    if train_count > MANY:
        return "many"
    return "few" if train_count < FEW else "medium"
