"""The ways in which PyTorch trains on a CPU, and the clock of a training step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.turns import MOST_SECONDS, THREADS

Step = Callable[[], None]

WARM_UP_STEPS = 3


@dataclass(frozen=True)
class Way:
    """How a network runs.

    Attributes:
      channels_last: images and weights lie in memory as n, h, w, c.
      compiled: by `torch.compile`, which fuses what stands between convolutions.
      bfloat16: forward and backward under autocast.
    """

    channels_last: bool = False
    compiled: bool = False
    bfloat16: bool = False

    @property
    def memory_format(self) -> torch.memory_format:
        """Of images and networks."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def precision(self) -> torch.autocast:
        """Within it the network computes in this way's type."""
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16)

    def of(self, network: torch.nn.Module) -> torch.nn.Module:
        """The network as it runs in this way, with the same weights."""
        network = network.to(memory_format=self.memory_format)
        return torch.compile(network) if self.compiled else network


WAYS = {
    "eager": Way(),
    "channels last": Way(channels_last=True),
    "compiled": Way(compiled=True),
    "compiled, channels last": Way(compiled=True, channels_last=True),
    "bfloat16, compiled, channels last": Way(compiled=True, channels_last=True, bfloat16=True),
}


class Clocks:
    """Training steps of every way, built on demand and timed.

    Args:
      build: a training step from scratch, as a way runs it.
    """

    def __init__(self, build: Callable[[Way], Step]) -> None:
        torch.set_num_threads(THREADS)
        # As TensorFlow does on its threads: numbers too small to matter are slow on a CPU.
        torch.set_flush_denormal(True)
        self._build = build
        self._steps: dict[str, Step] = {}

    def prepare(self, way: str) -> None:
        """Builds and compiles; takes the first steps."""
        step = self._build(WAYS[way])
        for _ in range(WARM_UP_STEPS):
            step()
        self._steps[way] = step

    def seconds(self, way: str, steps: int) -> float:
        """Of one step, as a mean over `steps`, or fewer if they take long."""
        step, done = self._steps[way], 0
        started = time.perf_counter()
        while done < steps and time.perf_counter() - started < MOST_SECONDS:
            step()
            done += 1
        return (time.perf_counter() - started) / done
