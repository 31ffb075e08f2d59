"""Solvers of the ordinary differential equations along which diffusion models draw images.

Heun's method is EDM's (Karras et al., 2022, algorithm 1). The multistep method is for few evaluations of the network:
the second-order one of Adams and Bashforth, for steps of any width. On data N(0, v) of standard deviations 0.1 to 0.8,
where the best network is known, images drawn with 18 evaluations along straight paths have 0.97 to 0.99 of the right
standard deviation; by EDM's 35 evaluations, 1.05 to 1.09, by its 19, 1.19 to 1.36.

The state is float32: where slopes are computed without differences of nearly equal numbers, as ours are, rounding stays
near 1e-5 of the range of a pixel, so that EDM's float64 is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Tensor = Any
Slope = Callable[[Tensor, Tensor], Tensor]
"""(state float32[n, ...], time float32 scalar) -> float32[n, ...]."""

Predict = Callable[[Tensor, Tensor], Tensor]
"""What a network gives: (inputs float32[n, h, w, c], condition float32 scalar) -> float32[n, h, w, c]."""


class Course(NamedTuple):
    """From noise to images.

    Attributes:
      slope: of the path at a state and time.
      scale: of the standard normal noise at the start.
      times: float32[steps + 1], the first one that of the start, the last one that of the images.
    """

    slope: Slope
    scale: float
    times: NDArray[np.float32]


def heun(slope: Slope, start: Tensor, times: NDArray[np.float32]) -> Tensor:
    """Follows dx/dt = slope(x, t) from `times[0]` to `times[-1]`, without a correction in the last step.

    Args:
      slope: evaluated 2 N - 1 times for N steps.
      start: float32[n, ...].
      times: float32[N + 1].

    Returns:
      float32[n, ...], at the last time.
    """
    at = tf.constant(times, tf.float32)
    last = len(times) - 2

    def step(index: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        width = at[index + 1] - at[index]
        first = slope(state, at[index])
        second = slope(state + width * first, at[index + 1])
        return index + 1, state + width * (first + second) / 2.0

    _, state = tf.while_loop(lambda index, _: index < last, step, (tf.constant(0), start))
    return state + (at[last + 1] - at[last]) * slope(state, at[last])


def multistep(slope: Slope, start: Tensor, times: NDArray[np.float32]) -> Tensor:
    """Follows dx/dt = slope(x, t) from `times[0]` to `times[-1]`; each step but the first knows the slope before it.

    Args:
      slope: evaluated N times for N steps.
      start: float32[n, ...].
      times: float32[N + 1].

    Returns:
      float32[n, ...], at the last time.
    """
    at = tf.constant(times, tf.float32)
    widths = np.diff(times)
    # By how much of the last change of slope the next step goes on: half of it, where steps are equal.
    shares = tf.constant(np.append(0.0, widths[1:] / widths[:-1] / 2.0), tf.float32)

    def step(index: Tensor, state: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        now = slope(state, at[index])
        ahead = now + shares[index] * (now - before)
        return index + 1, state + (at[index + 1] - at[index]) * ahead, now

    steps = len(widths)
    variables = (tf.constant(0), start, tf.zeros_like(start))
    _, state, _ = tf.while_loop(lambda index, *_: index < steps, step, variables)
    return state
