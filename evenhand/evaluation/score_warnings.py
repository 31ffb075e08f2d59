"""What must be known before scores of synthetic images are used: bias by few images and by other shares, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.named import listed

ENOUGH_FOR_FID = 2000
"""Images of each side under which the Frechet distance says more of their number than of their likeness."""

_OTHER_SHARES = 0.1


def of_few_images(
    num_real: int, num_synthetic: int, num_features: int, *, neighbours: int, most_neighbour_images: int
) -> Iterator[str]:
    """What the number of images does to the scores.

    Args:
      num_real: real images.
      num_synthetic: synthetic images.
      num_features: width of the features.
      neighbours: k of precision and its kin, which need more images than that.
      most_neighbour_images: of each side for these measures.
    """
    size = min(num_real, num_synthetic)
    if size < 2:
        side = "real" if num_real < 2 else "synthetic"
        yield f"there are {num_real} real and {num_synthetic} synthetic images: a distance needs two {side} ones."
        return
    if size < ENOUGH_FOR_FID:
        yield (
            f"FID of {size} images a side is biased upwards (under {ENOUGH_FOR_FID:,}): compare it with other FIDs of "
            "the same number only, or read KID, which is unbiased."
        )
    if size <= num_features:
        yield (
            f"FID of {size} images a side in {num_features} features knows no full covariance, which needs more images "
            "than features: take it as a rough order at best."
        )
    if size <= neighbours:
        yield (
            f"precision, recall, density and coverage need more than {neighbours} images a side, and there are {size}."
        )
    elif size > most_neighbour_images:
        yield (
            f"precision, recall, density and coverage are of {most_neighbour_images:,} images a side drawn "
            f"from {num_real:,} real and {num_synthetic:,} synthetic ones."
        )
    if num_real != num_synthetic:
        yield (
            f"FID is of {size:,} images a side, drawn from {num_real:,} real and {num_synthetic:,} synthetic ones: "
            "unequal numbers would bias it."
        )


def of_class_shares(
    real_labels: NDArray[np.integer[Any]], synthetic_labels: NDArray[np.integer[Any]], num_classes: int
) -> Iterator[str]:
    """Whether scores over all measure how often classes come, too.

    Args:
      real_labels: int[n], -1 for a class that only this side has.
      synthetic_labels: int[m], likewise.
      num_classes: classes that both sides know.
    """
    shares = []
    for labels in (real_labels, synthetic_labels):
        counts = np.bincount(labels + 1, minlength=num_classes + 1)[1:]
        shares.append(counts / max(1, counts.sum()))
    moved = float(np.abs(shares[0] - shares[1]).sum() / 2)
    if moved > _OTHER_SHARES and all(share.sum() > 0 for share in shares):
        yield (
            f"classes have other shares among real and synthetic images (they differ by {moved:.0%}): the scores over "
            "all measure that too, those per class do not."
        )


def of_classes(num_compared: Mapping[str, int], without_neighbours: Sequence[str]) -> Iterator[str]:
    """One sentence for what holds in several classes, instead of one for each.

    Args:
      num_compared: class name -> images of each side.
      without_neighbours: classes with too few images for precision and its kin.
    """
    if len(num_compared) < 2:
        return
    few = [name for name, count in num_compared.items() if 2 <= count < ENOUGH_FOR_FID]
    if few:
        yield (
            f"per class, FID is biased upwards in {len(few)} of {len(num_compared)} classes with fewer than "
            f"{ENOUGH_FOR_FID:,} images a side ({listed(few)}): compare generators by it, not classes with each other."
        )
    if without_neighbours:
        yield (
            "per class, there are too few images for precision, recall, density and coverage in "
            f"{listed(without_neighbours)}."
        )
