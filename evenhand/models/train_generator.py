"""Trains a conditional generator on labelled images."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand import registry
from evenhand.config import Device, Generator, Section, parse_options
from evenhand.data.batches import batches
from evenhand.data.image_table import ImageTable
from evenhand.models.training import checkpoint
from evenhand.models.training.conditional_generator import ConditionalGenerator
from evenhand.models.training.device import resolve, seed_everything
from evenhand.models.training.fit_callbacks import HistoryCallback

TASK = "train generator"
LOG_EVERY_STEPS = 50
CHECKPOINT_EVERY_STEPS = 500

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class GeneratorRun:
    """A trained generator and how it came about.

    Attributes:
      model: the trained model.
      name: of the generator.
      options: its options, defaults included.
      seed: of the training.
      steps: training steps, those before an interruption included.
      seconds: wall-clock time of this call.
      history: rows of logged means, each with its `step`.
      device: how the hardware was used.
    """

    model: ConditionalGenerator
    name: str
    options: Section
    seed: int
    steps: int
    seconds: float
    history: tuple[dict[str, float], ...]
    device: dict[str, Any]

    def sampler(self) -> Callable[[NDArray[np.int32], NDArray[np.int64]], NDArray[np.uint8]]:
        """Draws from the model in memory, for `sample_generator`."""
        draw = uint8_sampler(self.model)
        return lambda labels, seeds: draw(tf.constant(labels, tf.int32), tf.constant(seeds, tf.int64))["images"].numpy()


def uint8_sampler(model: ConditionalGenerator) -> tf.types.experimental.PolymorphicFunction:
    """`model.sample` as a TensorFlow function: labels int32[n], seed int64[n] -> {"images": uint8[n, h, w, c]}."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, name="labels"),
            tf.TensorSpec([None], tf.int64, name="seed"),
        ]
    )
    def sample(labels: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        images = (tf.cast(model.sample(labels, seed), tf.float32) + 1.0) * 127.5
        images = tf.cast(tf.clip_by_value(tf.round(images), 0.0, 255.0), tf.uint8)
        return {"images": tf.ensure_shape(images, [None, *model.image_shape])}

    return sample


def train_generator(
    images: ImageTable,
    config: Generator,
    *,
    seed: int = 0,
    deterministic: bool = True,
    device: Device | None = None,
    state_dir: Path | None = None,
    log_dir: str | Path | None = None,
) -> GeneratorRun:
    """Trains the generator that `config` names, for `config.steps` steps.

    Args:
      images: real training images.
      config: name, options, steps, batch size and sampling.
      seed: of initial weights, batches and latents.
      deterministic: bit-equal results on one machine; see `seed_everything`.
      device: how to use the hardware; None resolves everything by itself.
      state_dir: keeps checkpoints; a training that finds one of its own there goes on from it, and ends as if it had
        never been interrupted. None keeps none.
      log_dir: TensorBoard logs; None writes none.

    Returns:
      The trained model, with its history.

    Raises:
      UserError: if an option or the device is not possible.
      EvenhandError: if a loss is not a finite number any more.

    Example:
      run = evenhand.train_generator(table, evenhand.RunConfig().generator)
    """
    started = time.monotonic()
    module = registry.load("models.generators", config.name)
    options = parse_options(module.Options, config.options, "generator.options")
    resolved = resolve(device or Device(), config.name)
    seed_everything(seed, deterministic)
    with resolved.scope():
        model = module.build(options, images, seed=seed)
        model.prepare(jit_compile=resolved.jit_compile, steps_per_execution=resolved.steps_per_execution)
    restored = checkpoint.restore(state_dir, checkpoint.training_variables(model))
    if restored is not None:
        _LOG.info("%s goes on at step %d of %d", TASK, restored.step, config.steps)
    history = _fit(model, images, config, seed, restored or checkpoint.Restored(0), state_dir, log_dir)
    return GeneratorRun(
        model=model,
        name=config.name,
        options=options,
        seed=seed,
        steps=config.steps,
        seconds=time.monotonic() - started,
        history=tuple(history),
        device=resolved.describe(),
    )


def _fit(
    model: ConditionalGenerator,
    images: ImageTable,
    config: Generator,
    seed: int,
    restored: checkpoint.Restored,
    state_dir: Path | None,
    log_dir: str | Path | None,
) -> list[dict[str, float]]:
    watch = HistoryCallback(
        TASK,
        steps=config.steps,
        every=LOG_EVERY_STEPS,
        step=lambda: model.steps_done,
        history=restored.extra.get("history", ()),
        log_dir=None if log_dir is None else Path(log_dir),
    )
    callbacks = [watch]
    if state_dir is not None:
        callbacks.append(
            checkpoint.CheckpointCallback(
                state_dir, CHECKPOINT_EVERY_STEPS, step=lambda: model.steps_done, extra=lambda: {"history": watch.rows}
            )
        )
    milestones = model.milestones()
    ends = sorted({step for step in milestones if step < config.steps} | {config.steps})
    for end in ends:
        if end > model.steps_done:
            _fit_until(end, model, images, config, seed, callbacks)
        if end == model.steps_done and end in milestones:
            milestones[end](images)
    return watch.rows


def _fit_until(
    end: int,
    model: ConditionalGenerator,
    images: ImageTable,
    config: Generator,
    seed: int,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    first, num_steps = model.steps_done, end - model.steps_done
    data = batches(
        images,
        batch_size=config.batch_size * model.batches_per_step,
        sampling=config.sampling,
        seed=seed,
        first_step=first,
        num_steps=num_steps,
    )
    model.fit(data, steps_per_epoch=num_steps, verbose=0, shuffle=False, callbacks=callbacks)
