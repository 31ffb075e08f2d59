"""Checkpoints of interrupted training: written atomically, verified when read, two generations kept.

Keras' BackupAndRestore overwrites its only copy in place, so a kill at the wrong moment loses everything. Here a
generation is two files, `step-<step>.npz` with the variables and `step-<step>.json` with the checksum of the first,
each written beside its place, flushed to the disk and renamed; the JSON file comes last, so that its presence means
that the generation is whole.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand.whole_files import replace_text, replacing

GENERATIONS = 2

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restored:
    """What a checkpoint gave back besides the variables.

    Attributes:
      step: training steps that were done.
      extra: what `save` was given, e.g. the history so far.
    """

    step: int
    extra: Mapping[str, Any] = field(default_factory=dict)


def training_variables(model: keras.Model) -> list[keras.Variable]:
    """Everything that training changes: weights, batch statistics, random states and the optimizers' variables.

    Args:
      model: a compiled model. One with several optimizers, or with none, lists them in an attribute `optimizers`; the
        optimizers must be built (`optimizer.build(variables)`), or their moments would be missing.
    """
    optimizers = getattr(model, "optimizers", [model.optimizer])
    return [*model.variables, *(variable for optimizer in optimizers for variable in optimizer.variables)]


def to_array(variable: keras.Variable) -> NDArray[Any]:
    """The variable's value, also of one that is mirrored on several devices."""
    return np.asarray(tf.convert_to_tensor(variable.value))


def save(
    folder: Path,
    variables: Sequence[keras.Variable],
    step: int,
    extra: Mapping[str, Any] | None = None,
    *,
    identity: str = "",
) -> None:
    """Writes a generation, then removes all but this one and the newest before it, `GENERATIONS` in all.

    A training only goes forward, so a generation of more steps is of another training, or of an attempt that was given
    up; it goes too.

    Args:
      folder: where; made when absent. One training at a time may use it.
      variables: what to save, in an order that `restore` will be given again.
      step: training steps done.
      extra: anything JSON holds.
      identity: of the training, see `identity.training_identity`; only a `restore` that is given the same finds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = folder / f"step-{step:08d}.npz"
    with replacing(arrays) as file:
        np.savez(file, *map(to_array, variables))
    manifest = {
        "step": step,
        "identity": identity,
        "sha256": _checksum(arrays),
        "names": _names(variables),
        "extra": dict(extra or {}),
    }
    replace_text(arrays.with_suffix(".json"), json.dumps(manifest))
    _sync_folder(folder)
    generations = sorted(folder.glob("step-*.json"), reverse=True)
    newest = generations.index(arrays.with_suffix(".json"))
    for old in (*generations[:newest], *generations[newest + GENERATIONS :]):
        old.unlink()
        old.with_suffix(".npz").unlink(missing_ok=True)
    for leftover in folder.glob(".step-*"):  # of a process that was killed while it wrote
        leftover.unlink()


def discard(folder: Path | None) -> None:
    """Removes what `save` wrote, once its training is finished and kept elsewhere; None does nothing."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def restore(
    folder: Path | None,
    variables: Sequence[keras.Variable],
    *,
    identity: str = "",
    most_steps: int | None = None,
) -> Restored | None:
    """Sets `variables` from the newest generation that is whole and of this training.

    Args:
      folder: where `save` wrote; None or an absent folder gives None.
      variables: the same as at `save`, in the same order.
      identity: what `save` was given.
      most_steps: those of the whole training; None for any number.

    Returns:
      What was restored, or None, with every variable as it was, when there is nothing to go on from. A generation that
      is damaged, of another model or training, or of more steps than asked for is passed over with a warning in the
      log.
    """
    if folder is None:
        return None
    for manifest in sorted(Path(folder).glob("step-*.json"), reverse=True):
        try:
            state = json.loads(manifest.read_text(encoding="utf-8"))
            arrays = manifest.with_suffix(".npz")
            if state["sha256"] != _checksum(arrays):
                raise ValueError("the checksum does not match")
            if state["identity"] != identity:
                raise ValueError("it belongs to a training with other settings or images")
            if state["names"] != _names(variables):
                raise ValueError("it belongs to another model")
            if most_steps is not None and state["step"] > most_steps:
                raise ValueError(f"it has {state['step']} steps, more than the {most_steps} asked for")
            with np.load(arrays, allow_pickle=False) as values:
                loaded = [values[f"arr_{index}"] for index in range(len(variables))]
        except (OSError, ValueError, KeyError) as error:
            _LOG.warning("checkpoint %s is passed over: %s", manifest, error)
            continue
        for variable, value in zip(variables, loaded, strict=True):
            variable.assign(value)
        return Restored(step=state["step"], extra=state["extra"])
    return None


class CheckpointCallback(keras.callbacks.Callback):
    """Saves the state of `fit` every so many steps, and once at the end.

    Args:
      folder: where to save.
      every_steps: a generation is written at the first end of an execution at which this many steps have passed.
      step: gives the steps done so far; None reads the optimizer's `iterations`.
      extra: gives what is to be saved besides the variables, e.g. the history.
      variables: what to save; None saves `training_variables` of the model.
      identity: of the training.
    """

    def __init__(
        self,
        folder: Path,
        every_steps: int,
        *,
        step: Callable[[], int] | None = None,
        extra: Callable[[], Mapping[str, Any]] = dict,
        variables: Sequence[keras.Variable] | None = None,
        identity: str = "",
    ) -> None:
        super().__init__()
        self._folder, self._every, self._extra = Path(folder), every_steps, extra
        self._variables, self._identity = variables, identity
        self._step = step or (lambda: int(to_array(self.model.optimizer.iterations)))
        self._saved_at = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._saved_at = self._step()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._step() - self._saved_at >= self._every:
            self._save()

    def on_train_end(self, logs: Any = None) -> None:
        if self._step() > self._saved_at:
            self._save()

    def _save(self) -> None:
        self._saved_at = self._step()
        variables = training_variables(self.model) if self._variables is None else self._variables
        save(self._folder, variables, self._saved_at, self._extra(), identity=self._identity)


def _names(variables: Sequence[keras.Variable]) -> list[str]:
    # Shapes and types tell models apart; Keras numbers the names, which therefore differ within one process.
    return [f"{variable.dtype}{list(variable.shape)}" for variable in variables]


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    # A rename is on the disk only when its folder is.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
