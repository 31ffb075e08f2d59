"""Rectified flow: straight paths from images to noise.

Paper: Liu, Gong and Liu, Flow Straight and Fast, 2022, equation 1. On x_t = (1 - t) y + t n, n ~ N(0, I), the network
learns the velocity `v = n - y` by `|F(x_t; t) - v|^2`; images are drawn along dx/dt = F from t = 1 to t = 0. Times are
drawn as the sigmoid of N(0, 1) (Esser et al., Scaling Rectified Flow Transformers, 2024, section 3.1): velocities in
the middle are the hard ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from evenhand.models.diffusion.edm import Example
from evenhand.models.diffusion.solvers import Course, Predict, Slope

Tensor = Any

_TIME_SCALE = 999.0


class RectifiedFlow:
    """See the module; offers what `EDM` does, with times in 0..1 for noise levels."""

    def levels(self, ranks: Tensor) -> Tensor:
        """The times of training below which a share `ranks`, in (0, 1), of them lie."""
        return ops.sigmoid(tf.math.ndtri(ranks))

    def example(self, images: Tensor, noise: Tensor, levels: Tensor) -> Example:
        """What the network learns from images float32[n, h, w, c] with noise N(0, I) at times float32[n]."""
        each = ops.reshape(levels, (-1, 1, 1, 1))
        return Example((1.0 - each) * images + each * noise, _TIME_SCALE * levels, noise - images)

    def course(self, predict: Predict, steps: int) -> Course:
        """Through even times from 1 to 0."""
        return Course(_slope(predict), 1.0, np.linspace(1.0, 0.0, steps + 1, dtype=np.float32))

    def straight_course(self, predict: Predict, steps: int) -> Course:
        """The same at times (1 - i / n)^2, where images come out closer: their last details take shape near 0."""
        return Course(_slope(predict), 1.0, np.linspace(1.0, 0.0, steps + 1, dtype=np.float32) ** 2)


def _slope(predict: Predict) -> Slope:
    return lambda state, time: predict(state, _TIME_SCALE * time)
