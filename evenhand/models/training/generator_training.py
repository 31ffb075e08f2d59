"""One training of a generator: its callbacks, its milestones, and going on after an interruption."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from evenhand.config import Generator
from evenhand.data.batches import batches
from evenhand.data.image_table import ImageTable
from evenhand.models.drawing_functions import sampler_in_memory
from evenhand.models.extractors.cnn import train_extractor
from evenhand.models.training import checkpoint
from evenhand.models.training.best_weights import BestWeights
from evenhand.models.training.conditional_generator import ConditionalGenerator
from evenhand.models.training.fit_callbacks import HistoryCallback
from evenhand.models.training.monitor import Assessment, MonitorCallback, Reference

TASK = "train generator"
LOG_EVERY_STEPS = 50
CHECKPOINT_EVERY_STEPS = 500
MONITORED_STEPS, MONITORED_TIMES = 100, 8
"""A training of fewer steps is not watched; one of more eight times, unless the config says otherwise."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """What a training tells besides the model that it changed.

    Attributes:
      history: rows of logged means, each with its `step`.
      assessment: what was seen of the model; None where it was not watched.
      earlier_seconds: wall-clock time of the attempts before this one, up to their last checkpoint.
    """

    history: list[dict[str, float]]
    assessment: Assessment | None
    earlier_seconds: float


@dataclass(frozen=True)
class GeneratorTraining:
    """What a training is given.

    Attributes:
      model: compiled, with at least one update.
      images: real training images.
      held_out: real images that it is scored on; None scores on training images.
      config: steps, batch size, sampling and how it is watched.
      seed: of batches and of the extractor.
      state_dir: keeps checkpoints; None keeps none.
      log_dir: TensorBoard logs; None writes none.
      identity: of the training; only checkpoints of the same are gone on from.
    """

    model: ConditionalGenerator
    images: ImageTable
    held_out: ImageTable | None
    config: Generator
    seed: int
    state_dir: Path | None
    log_dir: Path | None
    identity: str = ""

    def run(self) -> Trained:
        """Goes on from a checkpoint if there is one."""
        started = time.monotonic()
        monitor = self._monitor()
        variables = [*checkpoint.training_variables(self.model), *(() if monitor is None else monitor.variables)]
        restored = checkpoint.restore(self.state_dir, variables, identity=self.identity, most_steps=self.config.steps)
        if restored is not None:
            _LOG.info("%s goes on at step %d of %d", TASK, restored.step, self.config.steps)
        earlier = restored.extra if restored is not None else {}
        earlier_seconds = float(earlier.get("seconds", 0.0))
        if monitor is not None:
            monitor.resume(earlier.get("scores", ()))
        history = HistoryCallback(
            TASK,
            steps=self.config.steps,
            every=LOG_EVERY_STEPS,
            step=lambda: self.model.steps_done,
            history=earlier.get("history", ()),
            best_step=lambda: None if monitor is None else monitor.best_step,
            log_dir=self.log_dir,
        )

        def extra() -> dict[str, Any]:
            return {
                "history": history.rows,
                "scores": [] if monitor is None else monitor.rows,
                "seconds": earlier_seconds + time.monotonic() - started,
            }

        watching: list[keras.callbacks.Callback] = [history] if monitor is None else [history, monitor]
        # Checkpoints last, so that they hold what the others have seen.
        self._fit([*watching, *self._checkpoints(extra, variables)])
        assessment = None if monitor is None else monitor.finish(history.rows)
        for finding in () if assessment is None else assessment.findings:
            _LOG.warning("%s: %s", self.config.name, finding)
        return Trained(history.rows, assessment, earlier_seconds)

    def _monitor(self) -> MonitorCallback | None:
        config, settings = self.config, self.config.monitor
        if settings is None or config.steps < MONITORED_STEPS:
            return None
        return MonitorCallback(
            self.model,
            self.images,
            Reference(self.images, self.held_out, train_extractor(self.images, seed=self.seed)),
            sampler_in_memory(self.model),
            every=settings.every or max(config.steps // MONITORED_TIMES, MONITORED_STEPS),
            steps=config.steps,
            best=BestWeights(self.model) if settings.keep_best else None,
            log_dir=self.log_dir,
        )

    def _checkpoints(
        self, extra: Callable[[], dict[str, Any]], variables: list[keras.Variable]
    ) -> list[keras.callbacks.Callback]:
        if self.state_dir is None:
            return []
        return [
            checkpoint.CheckpointCallback(
                self.state_dir,
                CHECKPOINT_EVERY_STEPS,
                step=lambda: self.model.steps_done,
                extra=extra,
                variables=variables,
                identity=self.identity,
            ),
        ]

    def _fit(self, callbacks: list[keras.callbacks.Callback]) -> None:
        """Fits from milestone to milestone."""
        model, milestones = self.model, self.model.milestones()
        ends = sorted({step for step in milestones if step < self.config.steps} | {self.config.steps})
        for end in ends:
            if end > model.steps_done:
                self._fit_until(end, callbacks)
            if end == model.steps_done and end in milestones:
                milestones[end](self.images)

    def _fit_until(self, end: int, callbacks: list[keras.callbacks.Callback]) -> None:
        model, config = self.model, self.config
        num_steps = end - model.steps_done
        data = batches(
            self.images,
            batch_size=config.batch_size * model.batches_per_step,
            sampling=config.sampling,
            seed=self.seed,
            first_step=model.steps_done,
            num_steps=num_steps,
            with_keypoints=model.uses_keypoints,
        )
        model.fit(data, steps_per_epoch=num_steps, verbose=0, shuffle=False, callbacks=callbacks)
