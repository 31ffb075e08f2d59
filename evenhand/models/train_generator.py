"""Trains a conditional generator on labelled images."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
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
from evenhand.models.feature_extractor import train_extractor
from evenhand.models.training import checkpoint
from evenhand.models.training.best_weights import BestWeights
from evenhand.models.training.conditional_generator import ConditionalGenerator
from evenhand.models.training.device import resolve, seed_everything
from evenhand.models.training.fit_callbacks import HistoryCallback
from evenhand.models.training.monitor import Assessment, MonitorCallback, Reference

TASK = "train generator"
LOG_EVERY_STEPS = 50
CHECKPOINT_EVERY_STEPS = 500
MONITORED_STEPS, MONITORED_TIMES = 100, 8
"""A training of fewer steps is not watched; one of more eight times, unless the config says otherwise."""

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
      assessment: what was seen of it while it trained; None where it was not watched.
    """

    model: ConditionalGenerator
    name: str
    options: Section
    seed: int
    steps: int
    seconds: float
    history: tuple[dict[str, float], ...]
    device: dict[str, Any]
    assessment: Assessment | None = None

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
    held_out: ImageTable | None = None,
    seed: int = 0,
    deterministic: bool = True,
    device: Device | None = None,
    state_dir: Path | None = None,
    log_dir: str | Path | None = None,
) -> GeneratorRun:
    """Trains the generator that `config` names, for `config.steps` steps.

    Args:
      images: real training images.
      config: name, options, steps, batch size, sampling and how it is watched.
      held_out: real images that it is scored on while it trains, never trained on; None scores on training images.
      seed: of initial weights, batches and latents.
      deterministic: bit-equal results on one machine; see `seed_everything`.
      device: how to use the hardware; None resolves everything by itself.
      state_dir: keeps checkpoints; a training that finds one of its own there goes on from it, and ends as if it had
        never been interrupted. None keeps none.
      log_dir: TensorBoard logs; None writes none.

    Returns:
      The trained model, with its history; with `config.monitor.keep_best` the best that was seen of it.

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
    extra = restored.extra if restored is not None else {}
    monitor = _monitor(model, images, held_out, config, seed, extra, state_dir, log_dir)
    history = _fit(model, images, config, seed, extra, monitor, state_dir, log_dir)
    model.prepare_to_sample(images)
    assessment = None if monitor is None else monitor.finish(history)
    for finding in () if assessment is None else assessment.findings:
        _LOG.warning("%s: %s", config.name, finding)
    return GeneratorRun(
        model=model,
        name=config.name,
        options=options,
        seed=seed,
        steps=config.steps,
        seconds=time.monotonic() - started,
        history=tuple(history),
        device=resolved.describe(),
        assessment=assessment,
    )


def _monitor(  # noqa: PLR0913 - what the training was given, and what it found of an earlier one
    model: ConditionalGenerator,
    images: ImageTable,
    held_out: ImageTable | None,
    config: Generator,
    seed: int,
    extra: Mapping[str, Any],
    state_dir: Path | None,
    log_dir: str | Path | None,
) -> MonitorCallback | None:
    if config.monitor is None or config.steps < MONITORED_STEPS:
        return None
    keeps = BestWeights(model, None if state_dir is None else state_dir / "best") if config.monitor.keep_best else None
    draw = uint8_sampler(model)
    return MonitorCallback(
        model,
        images,
        Reference(images, held_out, train_extractor(images, seed=seed)),
        lambda labels, seeds: draw(tf.constant(labels, tf.int32), tf.constant(seeds, tf.int64))["images"].numpy(),
        every=config.monitor.every or max(config.steps // MONITORED_TIMES, MONITORED_STEPS),
        steps=config.steps,
        best=keeps,
        rows=extra.get("scores", ()),
        log_dir=None if log_dir is None else Path(log_dir),
    )


def _fit(  # noqa: PLR0913 - as above
    model: ConditionalGenerator,
    images: ImageTable,
    config: Generator,
    seed: int,
    extra: Mapping[str, Any],
    monitor: MonitorCallback | None,
    state_dir: Path | None,
    log_dir: str | Path | None,
) -> list[dict[str, float]]:
    watch = HistoryCallback(
        TASK,
        steps=config.steps,
        every=LOG_EVERY_STEPS,
        step=lambda: model.steps_done,
        history=extra.get("history", ()),
        log_dir=None if log_dir is None else Path(log_dir),
    )
    callbacks: list[keras.callbacks.Callback] = [watch] if monitor is None else [watch, monitor]
    if state_dir is not None:
        # Last, so that it saves what the others have seen.
        callbacks.append(
            checkpoint.CheckpointCallback(
                state_dir,
                CHECKPOINT_EVERY_STEPS,
                step=lambda: model.steps_done,
                extra=lambda: {"history": watch.rows, "scores": [] if monitor is None else monitor.rows},
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
