"""Classes without a synthetic image, where a strategy and its matched arm no longer draw the same classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.data.blend import lacking
from evenhand.named import listed


def missing_classes(
    class_names: Sequence[str],
    train_counts: Sequence[int],
    synthetic_counts: Sequence[int],
    phases: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[str]:
    """What cannot be said of strategies that had no synthetic image of a class, one sentence for each such set.

    Filters may have left none, a folder held none, and `synthetic.per_class: balance` draws none of the largest class.
    A matched arm never reads synthetic images, so it cannot follow: it draws real images of the class as before.

    Args:
      class_names: names of the c classes.
      train_counts: int[c], real training images.
      synthetic_counts: int[c], synthetic images that strategies learn from.
      phases: of each strategy that has a matched arm, as they stand in `result.json`.

    Returns:
      The sentences, without their full stops; none where no strategy lacks a class.
    """
    counts, is_empty = np.asarray(train_counts), np.asarray(synthetic_counts) == 0
    strategies: dict[tuple[str, ...], list[str]] = {}
    for strategy, found in phases.items():
        is_missing = is_empty & np.any([_wanted(phase, counts) for phase in found], axis=0)
        missing = tuple(name for name, is_one in zip(class_names, is_missing, strict=True) if is_one)
        if missing:
            strategies.setdefault(missing, []).append(strategy)
    return [
        f"there is no synthetic image of {listed(missing)}: matched arms draw real ones in their place, so that the "
        f"comparison of {listed(names)} with theirs is not of the images alone"
        for missing, names in strategies.items()
    ]


def _wanted(phase: Mapping[str, Any], counts: NDArray[np.integer]) -> NDArray[np.bool_]:
    """bool[c], whether a phase would draw synthetic images of a class."""
    if phase["on"] == "real":
        return np.zeros(len(counts), bool)
    blend = phase.get("blend") or {}
    if blend.get("share") == "balance":
        return lacking(counts, blend.get("most")) > 0
    return np.ones(len(counts), bool)
