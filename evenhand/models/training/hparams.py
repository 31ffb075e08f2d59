"""What a training was set to, for TensorBoard's HParams."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams


def write_hparams(log_dir: Path, values: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """Writes a training's settings, and what came of it, where TensorBoard's HParams finds both.

    Args:
      log_dir: of the training.
      values: settings by name, nested ones under dotted names; what is neither a number, a truth value nor text is
        written as text, and None is left out.
      metrics: final values by name.
    """
    settings = {name: value for name, value in _flat(values) if value is not None}
    with tf.summary.create_file_writer(str(log_dir)).as_default(step=0):
        hparams.hparams(settings, trial_id=None)
        for name, value in metrics.items():
            tf.summary.scalar(f"final/{name}", value)


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{prefix}{name}.")
        else:
            is_plain = value is None or isinstance(value, bool | int | float | str)
            pairs.append((prefix + name, value if is_plain else str(value)))
    return pairs
