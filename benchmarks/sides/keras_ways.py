"""The ways in which evenhand trains on a CPU, and the clock of a training step."""

from __future__ import annotations

import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from benchmarks.turns import MOST_SECONDS, THREADS
from evenhand.config import Device
from evenhand.data.image_table import ImageTable
from evenhand.models.training.device import make_deterministic, resolve

DEFAULT, XLA = "default", "XLA"
WAYS = {
    DEFAULT: Device(),
    XLA: Device(xla=True),
    "bfloat16": Device(precision="mixed_bfloat16"),
}

IMAGES_IN_MEMORY = 4096

Fit = tuple[keras.Model, Callable[[int], tf.data.Dataset]]
"""A compiled model, and the batches of so many steps."""


def noise(size: int, channels: int, num_classes: int, images: int = IMAGES_IN_MEMORY) -> ImageTable:
    """Images in memory: arithmetic takes as long on noise as on anything."""
    numbers = np.random.default_rng(0)
    return ImageTable(
        images=numbers.integers(0, 256, (images, size, size, channels), np.uint8),
        labels=numbers.integers(0, num_classes, images).astype(np.int32),
        ids=np.arange(images).astype(str),
        class_names=tuple(str(label) for label in range(num_classes)),
    )


class Clocks:
    """Training steps of every way, built on demand and timed.

    Args:
      build: a model and its batches, for a way's device.
      model_name: of which `device.py` knows what is best.
    """

    def __init__(self, build: Callable[[Device], Fit], model_name: str) -> None:
        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(THREADS)
        self._build, self._model_name = build, model_name
        self._fits: dict[str, Fit] = {}
        self._last: dict[str, float] = {}

    def described(self) -> dict[str, str]:
        """Every way, and what it comes to."""
        return {way: _described(device, self._model_name) for way, device in WAYS.items()}

    def prepare(self, way: str) -> None:
        """Builds and traces; takes the first steps. A process that prepared another way before compiles nothing."""
        make_deterministic(WAYS[way])  # as every run is that does not ask for anything else
        self._fits[way] = self._build(WAYS[way])
        at_once = self._at_once(way)
        self.seconds(way, at_once)  # traces
        self._last[way] = self.seconds(way, at_once)

    def seconds(self, way: str, steps: int) -> float:
        """Of one step, input included, as a mean over `steps`, or fewer if they took long before."""
        model, batches = self._fits[way]
        if way in self._last:
            at_once = self._at_once(way)
            steps = max(min(steps, int(MOST_SECONDS / self._last[way])) // at_once, 1) * at_once
        data = batches(steps)
        started = time.perf_counter()
        model.fit(data, epochs=1, shuffle=False, verbose=0)
        return (time.perf_counter() - started) / steps

    def _at_once(self, way: str) -> int:
        return resolve(WAYS[way], self._model_name).steps_per_execution


def _described(device: Device, model_name: str) -> str:
    resolved = resolve(device, model_name)
    xla = "XLA" if resolved.jit_compile else "no XLA"
    return f"{resolved.precision}, {xla}, steps_per_execution {resolved.steps_per_execution}"


def perturb(variables: list[keras.Variable]) -> None:
    """Moves every weight off its initial value, so that a bias or statistic in the wrong place is noticed."""
    numbers = np.random.default_rng(1)
    for variable in variables:
        if "float" in str(variable.dtype):
            moved = np.asarray(variable) + 0.05 * numbers.standard_normal(variable.shape)
            variable.assign(np.abs(moved) if "variance" in variable.name else moved)
