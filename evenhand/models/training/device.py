"""How a model uses the hardware: distribution, compilation, precision and steps per execution, `auto` resolved.

What `auto` chooses, and why:

- distribution: one replica per accelerator when there are several, none otherwise.
- xla: on accelerators only, and not where results must repeat (`make_deterministic`), which is the default of a run. On
  a CPU it took 0.6 to 0.9 of the step of six generators, but as long as that of `class_vae`, three times that of
  `polarity_gan` and nineteen times that of `bagan`; compiling takes from 10 s to minutes.
- precision: float32 everywhere. On a CPU without bfloat16 arithmetic mixed_bfloat16 took 3 to 12 times as long; on
  accelerators it has not been measured, so it is not chosen unasked.
- steps per execution: `_STEPS_PER_EXECUTION`, and 1 on mirrored devices. It saves Python's share of a step and sets how
  often progress is told. One against four steps differed by less than the noise of the measurement for most generators,
  so that only models of few milliseconds a step take several on a CPU; on accelerators it has not been measured. Fewer
  where a training stops early: looks can be had between two calls only, and happen at the steps that are asked for.

Measured by `benchmarks.generator_steps` and `benchmarks.classifier_training` (docs/performance.md).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import keras
import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled  # Keras asks it too; there is no public name

from evenhand.config import Device
from evenhand.errors import UserError

_LOG = logging.getLogger(__name__)

_STEPS_PER_EXECUTION = {"cpu": {"cgan": 10, "cnn": 4}, "accelerator": {"cgan": 50, "cnn": 20}}
_STEPS_PER_EXECUTION_ELSEWHERE = {"cpu": 1, "accelerator": 10}


@dataclass(frozen=True)
class ResolvedDevice:
    """Settings without `auto`.

    Attributes:
      distribution: TensorFlow's strategy, or None on one device.
      jit_compile: compile the training step by XLA.
      precision: name of the Keras dtype policy.
      steps_per_execution: training steps per call of the compiled function.
    """

    distribution: tf.distribute.Strategy | None
    jit_compile: bool
    precision: str
    steps_per_execution: int

    @property
    def num_replicas(self) -> int:
        """Replicas that share a batch."""
        return 1 if self.distribution is None else int(self.distribution.num_replicas_in_sync)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Within it models are built for this device, in this precision; both are put back afterwards."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.precision)
        try:
            if self.distribution is None:
                yield
            else:
                with self.distribution.scope():
                    yield
        finally:
            keras.config.set_dtype_policy(before)

    def describe(self) -> dict[str, Any]:
        """The settings as JSON, for the result."""
        return {
            "distribution": "none" if self.distribution is None else type(self.distribution).__name__,
            "replicas": self.num_replicas,
            "xla": self.jit_compile,
            "precision": self.precision,
            "steps_per_execution": self.steps_per_execution,
        }


def make_deterministic(device: Device) -> None:
    """Operations give bit-equal results on one machine, or are refused; before `resolve`.

    With TensorFlow's switch for that, Keras compiles nothing by XLA, since some operations, such as the gradient of max
    pooling, cannot be compiled with it (TensorFlow 2.21). Where XLA is asked for, its own flag, which `import evenhand`
    sets, stands in for the switch; what runs on an accelerator beside the compiled step, drawing and scoring, may then
    differ in the last bits.

    A process cannot leave TensorFlow's deterministic mode again. It orders its rewriting of graphs by the names of
    layers, which Keras numbers within a process: what a process trains second may differ in the last bit from what
    another trains first, unless `keras.backend.clear_session` comes before.
    """
    if device.xla is not True:
        tf.config.experimental.enable_op_determinism()


def resolve(device: Device, model_name: str, *, looks_every: int | None = None) -> ResolvedDevice:
    """Decides what `auto` means on this machine.

    Args:
      device: the config's section.
      model_name: name of the generator or classifier, e.g. `cgan` or `efficientnetv2-b0`.
      looks_every: a number of steps that the steps per execution must divide where they are `auto`; None for none.

    Raises:
      UserError: if the distribution asked for needs hardware that is not there or a process that has just begun, or
        does not go with the steps per execution.
    """
    # First of all: to work with others must be set up before TensorFlow looks for devices.
    distribution = _multi_worker() if device.distribution == "multi_worker" else _distribution(device.distribution)
    accelerators = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU")
    kind = "accelerator" if accelerators or device.distribution == "tpu" else "cpu"
    steps = device.steps_per_execution
    if isinstance(distribution, tf.distribute.MirroredStrategy | tf.distribute.MultiWorkerMirroredStrategy):
        check_steps_per_execution(device)
        steps = 1
    elif steps == "auto":
        steps = _STEPS_PER_EXECUTION[kind].get(model_name, _STEPS_PER_EXECUTION_ELSEWHERE[kind])
        if looks_every is not None:
            steps = _largest_divisor(looks_every, steps)
    return ResolvedDevice(
        distribution=distribution,
        jit_compile=_compiles(device.xla, kind),
        precision="float32" if device.precision == "auto" else device.precision,
        steps_per_execution=steps,
    )


def _largest_divisor(number: int, most: int) -> int:
    return max(divisor for divisor in range(1, most + 1) if number % divisor == 0)


def _compiles(wanted: bool | Literal["auto"], kind: str) -> bool:
    """Whether XLA compiles the step, which Keras refuses in a process that is in TensorFlow's deterministic mode."""
    if is_op_determinism_enabled():
        if wanted is True:
            _LOG.warning("device.xla: nothing is compiled, since this process is in TensorFlow's deterministic mode")
        return False
    return kind == "accelerator" if wanted == "auto" else wanted


@lru_cache(maxsize=1)
def _multi_worker() -> tf.distribute.Strategy:
    """One for the whole process: workers meet once."""
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise UserError(
            "device.distribution",
            "multi_worker must be set up before TensorFlow has been used",
            "train by a script of your own on each worker, which calls evenhand.models.training.device.resolve first",
        ) from error


def check_steps_per_execution(device: Device) -> None:
    """Looks whether replicas can take the steps that are asked for in one call.

    Raises:
      UserError: if it is more than one.
    """
    # Keras' loop over several steps cannot merge the replicas' gradients within it (TensorFlow 2.21).
    if device.steps_per_execution not in ("auto", 1):
        raise UserError(
            "device.steps_per_execution",
            f"{device.steps_per_execution} steps in one call cannot be shared by devices",
            "use auto or 1",
        )


def check_batch_size(batch_size: int, device: ResolvedDevice, field: str) -> None:
    """Looks whether every replica gets as many images.

    Raises:
      UserError: that names `field`, if they do not.
    """
    if batch_size % device.num_replicas:
        raise UserError(
            field,
            f"{batch_size} images cannot be shared alike by {device.num_replicas} devices",
            f"use a multiple of {device.num_replicas}, or device.distribution: none",
        )


def _distribution(name: str) -> tf.distribute.Strategy | None:
    num_gpus = len(tf.config.list_logical_devices("GPU"))
    if name == "none" or (name == "auto" and num_gpus < 2):
        return None
    if name == "tpu":
        try:
            return tf.distribute.TPUStrategy(tf.distribute.cluster_resolver.TPUClusterResolver.connect())
        except (ValueError, RuntimeError, tf.errors.OpError) as error:
            raise UserError("device.distribution", f"no TPU was found ({error})", "use auto") from error
    return _mirrored()


@lru_cache(maxsize=1)
def _mirrored() -> tf.distribute.Strategy:
    """One for the whole process: the collective operations of two strategies would go by the same numbers and mix."""
    return tf.distribute.MirroredStrategy()
