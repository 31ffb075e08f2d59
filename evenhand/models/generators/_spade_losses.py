"""Losses of `spade` that no other generator uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any


def feature_matching(features: Sequence[Sequence[Tensor]], targets: Sequence[Sequence[Tensor]]) -> Tensor:
    """How far a judge's layers tell synthetic from real images (Wang et al., pix2pixHD, 2018, equation 4).

    Args:
      features: of synthetic images, float32[n, ...], by scale and layer.
      targets: of real ones; no gradient reaches them.

    Returns:
      float32 scalar: the mean absolute difference, summed over layers, averaged over scales.
    """
    return sum(
        ops.mean(ops.abs(one - ops.stop_gradient(other)))
        for layers, others in zip(features, targets, strict=True)
        for one, other in zip(layers, others, strict=True)
    ) / len(features)
