"""Noise law, preconditioning and time steps of EDM.

Paper: Karras et al., Elucidating the Design Space of Diffusion-Based Generative Models, 2022, table 1 and equations 1
to 8. With x = y + s n, n ~ N(0, I), the denoiser is `D(x; s) = c_skip x + c_out F(c_in x; c_noise)`,

    c_skip = sd^2 / (s^2 + sd^2)         c_out = s sd / sqrt(s^2 + sd^2)
    c_in = 1 / sqrt(s^2 + sd^2)          c_noise = ln(s) / 4

where sd is the standard deviation of the data. Its loss, `w(s) |D(x; s) - y|^2` with w = (s^2 + sd^2) / (s sd)^2, is
`|F - (y - c_skip x) / c_out|^2`, since w c_out^2 = 1 at every s; and dx/ds = (x - D(x; s)) / s. Both are computed in
forms without differences of nearly equal numbers:

    (y - c_skip x) / c_out = (s y / sd - sd n) / sqrt(s^2 + sd^2)
    (x - D) / s = s x / (s^2 + sd^2) - sd F / sqrt(s^2 + sd^2)

EDM's paths are those of rectified flow in other coordinates: with t = s / (1 + s), z = x / (1 + s) = (1 - t) y + t n,
and dz/dt = n - D = (1 + s) (dx/ds - z). There they are nearly straight, so that fewer steps do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops

from evenhand.models.diffusion.solvers import Course, Predict

Tensor = Any

_LOG_MEAN, _LOG_DEVIATION = -1.2, 1.2
_LARGEST, _SMALLEST, _RHO = 80.0, 0.002, 7.0


class Coefficients(NamedTuple):
    """The preconditioning at one noise level, or at each of many; see the module."""

    skip: Tensor
    out: Tensor
    input: Tensor
    noise: Tensor
    weight: Tensor


class Example(NamedTuple):
    """What the network learns from.

    Attributes:
      inputs: float32[n, h, w, c].
      conditions: float32[n], what tells the network the noise level.
      targets: float32[n, h, w, c], what it is to give.
    """

    inputs: Tensor
    conditions: Tensor
    targets: Tensor


@dataclass(frozen=True)
class EDM:
    """See the module.

    Attributes:
      data_deviation: sd, 0.5 in the paper whatever the images.
    """

    data_deviation: float = 0.5

    def coefficients(self, levels: Tensor) -> Coefficients:
        """The preconditioning at the standard deviations `levels` of the noise."""
        deviation = self.data_deviation
        total = ops.square(levels) + deviation**2
        return Coefficients(
            skip=deviation**2 / total,
            out=levels * deviation / ops.sqrt(total),
            input=1.0 / ops.sqrt(total),
            noise=ops.log(levels) / 4.0,
            weight=total / ops.square(levels * deviation),
        )

    def levels(self, ranks: Tensor) -> Tensor:
        """The noise levels of training below which a share `ranks`, in (0, 1), of them lie: ln s ~ N(-1.2, 1.2^2)."""
        return ops.exp(_LOG_MEAN + _LOG_DEVIATION * tf.math.ndtri(ranks))

    def example(self, images: Tensor, noise: Tensor, levels: Tensor) -> Example:
        """What the network learns from images float32[n, h, w, c] with noise N(0, I) at levels float32[n]."""
        each = ops.reshape(levels, (-1, 1, 1, 1))
        targets = (each / self.data_deviation * images - self.data_deviation * noise) * self.coefficients(each).input
        return Example(*self.view(images + each * noise, levels), targets)

    def view(self, state: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Noisy images float32[n, h, w, c] as the network sees them, and the conditions of their levels.

        Args:
          state: x.
          levels: float32[n], or a scalar for all.
        """
        coefficients = self.coefficients(levels)
        return state * ops.reshape(coefficients.input, (-1, 1, 1, 1)), coefficients.noise

    def slope(self, raw: Tensor, state: Tensor, level: Tensor) -> Tensor:
        """dx/ds at one level, where the network gave `raw`."""
        scale = self.coefficients(level).input
        return level * ops.square(scale) * state - self.data_deviation * scale * raw

    def course(self, predict: Predict, steps: int) -> Course:
        """The paper's, through x at levels by equation 5 from 80 to 0.002, then 0."""

        def slope(state: Tensor, level: Tensor) -> Tensor:
            return self.slope(predict(*self.view(state, level)), state, level)

        roots = np.linspace(_LARGEST ** (1 / _RHO), _SMALLEST ** (1 / _RHO), steps)
        return Course(slope, _LARGEST, np.append(roots**_RHO, 0.0).astype(np.float32))

    def straight_course(self, predict: Predict, steps: int) -> Course:
        """The same through z, at times (1 - i / n)^2 of the one where the level is 80."""

        def slope(state: Tensor, time: Tensor) -> Tensor:
            level = time / (1.0 - time)
            noisy = (1.0 + level) * state
            return (1.0 + level) * (self.slope(predict(*self.view(noisy, level)), noisy, level) - state)

        first = _LARGEST / (1.0 + _LARGEST)
        return Course(slope, first, (first * np.linspace(1.0, 0.0, steps + 1) ** 2).astype(np.float32))
