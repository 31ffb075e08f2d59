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


def pose_cross_entropy(
    embeddings: Tensor,
    proxies: Tensor,
    is_negative: Tensor,
    *,
    temperature: float = 0.5,
    positive_margin: float = 0.98,
    negative_margin: float = 0.02,
) -> Tensor:
    """Data-to-data cross-entropy (see `losses.d2d_cross_entropy`) with a proxy for each image and pairs to choose.

    Args:
      embeddings: float[n, d].
      proxies: float[n, d], what each image should be near.
      is_negative: bool[n, n], whether image j should be far from image i.
      temperature: as there.
      positive_margin: as there.
      negative_margin: as there.

    Returns:
      float32 scalar, the mean over the batch.
    """
    features, anchors = (
        ops.normalize(ops.cast(part, "float32"), axis=-1, epsilon=1e-12) for part in (embeddings, proxies)
    )
    pull = ops.relu((positive_margin - ops.sum(features * anchors, axis=-1)) / temperature)
    push = ops.relu((ops.matmul(features, ops.transpose(features)) - negative_margin) / temperature)
    exponents = ops.concatenate([-pull[:, None], ops.where(is_negative, push, -1e9)], axis=-1)
    return ops.mean(pull + ops.logsumexp(exponents, axis=-1))
