"""Trains a conditional generator on labelled images."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from evenhand import registry
from evenhand.config import Device, Generator, Section, parse_options
from evenhand.data.image_table import ImageTable
from evenhand.models.build_generator import build_generator, images_for
from evenhand.models.drawing_functions import sampler_in_memory
from evenhand.models.outside_inputs import of_generator
from evenhand.models.sample_generator import DrawsImages
from evenhand.models.training.conditional_generator import ConditionalGenerator
from evenhand.models.training.device import check_batch_size, make_deterministic, resolve
from evenhand.models.training.findings import cut_off
from evenhand.models.training.generator_training import GeneratorTraining, Trained
from evenhand.models.training.identity import training_identity
from evenhand.models.training.monitor import Assessment
from evenhand.models.training.warm_up import check_steps

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
      seconds: wall-clock time, over all attempts when the training was interrupted.
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

    def sampler(self) -> DrawsImages:
        """Draws from the model in memory, for `sample_generator`."""
        return sampler_in_memory(self.model)


def train_generator(  # noqa: PLR0913 - the library's one call for it; all but two arguments are by keyword
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
    """Trains the generator that `config` names, for `config.steps` steps; one without updates, for none.

    Args:
      images: real training images.
      config: name, options, steps, batch size, sampling and how it is watched.
      held_out: real images that it is scored on while it trains, never trained on; None scores on training images.
      seed: of initial weights, batches and latents.
      deterministic: bit-equal results on one machine; see `device.make_deterministic`.
      device: how to use the hardware; None resolves everything by itself.
      state_dir: keeps checkpoints; a training that finds one of its own there goes on from it, and ends as if it had
        never been interrupted. Its own are those of the same generator, options, images, seed and settings but for the
        steps; others, and those of more steps, are passed over with a warning in the log and overwritten. None keeps
        none.
      log_dir: TensorBoard logs; None writes none.

    Returns:
      The trained model, with its history; with `config.monitor.keep_best` the best that was seen of it.

    Raises:
      UserError: if an option or the device is not possible, the steps end within the generator's warm-up, or a loss is
        not a finite number any more.

    Example:
      run = evenhand.train_generator(table, evenhand.RunConfig().generator)
    """
    started = time.monotonic()
    module = registry.load("models.generators", config.name)
    options = parse_options(module.Options, config.options, "generator.options")
    device = device or Device()
    if deterministic:
        make_deterministic(device)
    resolved = resolve(device, config.name)
    keras.utils.set_random_seed(seed)
    with resolved.scope():
        model = build_generator(config.name, options, images, seed=seed)
    if resolved.num_replicas > 1 and any(update.is_scheduled for update in model.updates):
        # TensorFlow cannot merge the gradients of replicas within the condition of a schedule.
        _LOG.warning("%s trains on one device: not all of its networks learn in every step", config.name)
        resolved = resolve(device.model_copy(update={"distribution": "none"}), config.name)
        with resolved.scope():
            model = build_generator(config.name, options, images, seed=seed)
    check_batch_size(config.batch_size, resolved, "generator.batch_size")
    with resolved.scope():
        check_steps(config, model.warm_up)
        model.prepare(jit_compile=resolved.jit_compile, steps_per_execution=resolved.steps_per_execution)
    images, held_out = images_for(model, images), None if held_out is None else images_for(model, held_out)
    trained = Trained([], None, 0.0)
    if model.updates:
        logs = None if log_dir is None else Path(log_dir)
        identity = ""
        if state_dir is not None:
            settings = {
                "generator": config.model_dump(mode="json", exclude={"steps", "options"}),
                "options": options.model_dump(mode="json"),
                "outside": of_generator(config),
                "precision": resolved.precision,
                "seed": seed,
            }
            identity = training_identity(settings, (images, held_out))
        training = GeneratorTraining(model, images, held_out, config, seed, state_dir, logs, identity)
        trained = training.run()
    assessment = trained.assessment
    if assessment is not None:
        found = (*assessment.findings, *cut_off(getattr(model, "options", options), config.steps))
        assessment = replace(assessment, findings=found)
    model.prepare_to_sample(images)
    return GeneratorRun(
        model=model,
        name=config.name,
        options=options,
        seed=seed,
        steps=config.steps if model.updates else 0,
        seconds=time.monotonic() - started + trained.earlier_seconds,
        history=tuple(trained.history),
        device=resolved.describe(),
        assessment=assessment,
    )
