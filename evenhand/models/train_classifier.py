"""Trains one phase of a strategy: the same budget, initial weights and schedule whatever the strategy."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from evenhand.config import Classifier, Device, Section, Training
from evenhand.data.blend import Draws
from evenhand.data.image_table import ImageTable
from evenhand.data.splits import check_validation
from evenhand.data.training_batches import training_batches
from evenhand.errors import UserError
from evenhand.models.phase import Phase
from evenhand.models.training import checkpoint
from evenhand.models.training.classification import SharedClassifier, Weights, shared_classifier
from evenhand.models.training.classifier_callbacks import Log
from evenhand.models.training.device import check_batch_size, make_deterministic
from evenhand.models.training.head import check_head, finish_head
from evenhand.models.training.identity import training_identity
from evenhand.models.training.layer_rates import stage_rates
from evenhand.models.training.observers import Observers
from evenhand.models.training.weight_balance import WeightBalance

MODEL_FILE = "model.keras"

_WARM_UP_SHARE = 0.05
_CHECKPOINT_EVERY_STEPS = 200

_LOG = logging.getLogger(__name__)


class ClassifierTraining(Section):
    """What a classifier's training depends on besides the images and the phase."""

    classifier: Classifier = Classifier()
    training: Training = Training()
    device: Device = Device()


@dataclass(frozen=True)
class ClassifierRun:
    """A finished training.

    Attributes:
      weights: of the network, in the order of `keras.Model.weights`.
      class_names: names of the outputs.
      steps: gradient steps taken; with early stopping those up to the weights that were kept may be fewer.
      history: one row per logged step: `step` (counted from 1), `loss`, `accuracy`, `learning_rate` and, where
        validation was evaluated, `validation_loss`.
      seconds: wall-clock time, over all attempts when the training was interrupted.
      stopped_early: whether it ended before its budget.
      device: how the hardware was used, without `auto`.
      shared: the process's compiled network of these settings, for prediction and export.
    """

    weights: Weights
    class_names: tuple[str, ...]
    steps: int
    history: tuple[dict[str, float], ...]
    seconds: float
    stopped_early: bool
    device: dict[str, Any] = field(default_factory=dict)
    shared: SharedClassifier | None = field(default=None, repr=False)

    def loaded(self) -> SharedClassifier:
        """The shared network with this run's weights, until the next training of the same settings."""
        assert self.shared is not None, "only train_classifier makes runs"
        self.shared.weights = self.weights
        return self.shared

    @property
    def model(self) -> keras.Model:
        """A network of the caller's own: float32[n, h, w, c] in 0..255 -> float32[n, c] logits."""
        assert self.shared is not None, "only train_classifier makes runs"
        network = self.shared.build(seed=0)
        network.set_weights(self.weights)
        return network

    def predict(self, images: ImageTable) -> NDArray[np.float32]:
        """float32[n, c], class probabilities of every row."""
        return self.loaded().predict(images)


def train_classifier(  # noqa: PLR0913 - the library's one call for it; all but three arguments are by keyword
    images: ImageTable,
    phase: Phase,
    config: ClassifierTraining,
    *,
    steps: int,
    seed: int = 0,
    task: str = "classifier",
    validation: ImageTable | None = None,
    watched: ImageTable | None = None,
    synthetic: ImageTable | None = None,
    base_model: Path | None = None,
    deterministic: bool = True,
    state_dir: Path | None = None,
    log_dir: Path | None = None,
) -> ClassifierRun:
    """Trains a classifier on one phase of a strategy by Adam, with a warm-up and a cosine decay.

    Args:
      images: what it trains on, all rows: real images, or synthetic ones in a phase on those alone.
      phase: what to do; its `share` was the caller's to follow.
      config: classifier, budget and device.
      steps: gradient steps of this phase.
      seed: of initial weights, order, augmentation and dropout. Equal seeds start from equal weights.
      task: what progress calls it, after `train`.
      validation: images for early stopping; None trains all steps.
      watched: validation images whose balanced accuracy is logged on the way, without any effect on the training; None
        or an empty table logs none.
      synthetic: the synthetic images of a phase on both.
      base_model: the `.keras` file, or a folder with `model.keras`, whose weights it starts from; None starts from the
        classifier's own weights.
      deterministic: bit-equal results on one machine.
      state_dir: where interrupted training is kept and found again; what is of other images, settings, seed, steps or
        first weights is passed over with a warning in the log, and overwritten. None keeps nothing.
      log_dir: for TensorBoard; None writes no log.

    Returns:
      The run; with early stopping its weights are the best that validation saw.

    Raises:
      UserError: if there are no images, if a batch cannot hold both shares, the base model or its weights do not fit,
        or the loss is not finite any more.
    """
    _check(images, validation, config)
    if deterministic:
        # No global seed: every random number here has its own, and setting one would make TensorFlow forget the
        # functions it has compiled, which costs EfficientNetV2-B0 ten seconds.
        make_deterministic(config.device)
    stopping = config.training.early_stopping if validation is not None else None
    shared = shared_classifier(
        config.classifier,
        images.image_shape,
        len(images.class_names),
        config.device,
        looks_every=None if stopping is None else stopping.every,
    )
    check_batch_size(config.training.batch_size, shared.device, "training.batch_size")
    # The second phase draws other batches than the first.
    order_seed = 2 * seed + (base_model is not None)
    draws = phase_draws(phase, images, synthetic, batch_size=config.training.batch_size, seed=order_seed)
    _start(shared, phase, config, draws, steps, seed, base_model)
    observers = Observers(
        shared,
        config.training,
        Log(f"train {task}", steps, config.training.batch_size / draws.num_images, shared, log_dir),
        validation=validation,
        watched=watched,
        steps=steps,
        log_dir=log_dir,
    )
    # Before anything is restored, since its bound is that of the beginning.
    balance = [WeightBalance(shared, phase.weight_decay, phase.max_norm)] if phase.balances_weights else []
    identity = ""
    if state_dir is not None:
        settings = {
            "phase": phase.model_dump(mode="json"),
            # `training.steps` is that of all phases; how the hardware is used may change in between.
            "config": config.model_dump(mode="json", exclude={"training": {"steps"}, "device": True}),
            "precision": shared.device.precision,
            "steps": steps,
            "seed": seed,
        }
        is_from_file = base_model is not None or config.classifier.weights is not None
        tables = (images, synthetic, validation, watched)
        identity = training_identity(settings, tables, shared.weights if is_from_file else ())
    restored = checkpoint.restore(state_dir, checkpoint.training_variables(shared.model), identity=identity)
    first_step = 0
    if restored is not None:
        first_step = restored.step
        observers.restore(restored.extra)
        _LOG.info("%s goes on from step %d", task, first_step)
    callbacks: list[keras.callbacks.Callback] = [*balance, *observers.callbacks]
    if state_dir is not None:
        # Last, so that it saves what the others have counted.
        callbacks.append(
            checkpoint.CheckpointCallback(state_dir, _CHECKPOINT_EVERY_STEPS, extra=observers.state, identity=identity)
        )
    if first_step < steps and not observers.has_stopped:
        data = training_batches(
            draws,
            seed=order_seed,
            first_step=first_step,
            num_steps=steps - first_step,
            augmentation=phase.augmentation or config.training.augmentation,
            mixing=phase.mixing,
        )
        shared.model.fit(data, epochs=1, shuffle=False, verbose=0, callbacks=callbacks)
    taken = int(checkpoint.to_array(shared.model.optimizer.iterations))
    settings = {"task": task, "seed": seed, "steps": steps, "phase": phase.model_dump(mode="json")}
    observers.write_hparams(settings | config.model_dump(mode="json"))
    observers.keep_best()
    finish_head(shared.network, phase, draws.class_counts(phase.mixing))
    return ClassifierRun(
        weights=shared.weights,
        class_names=images.class_names,
        steps=taken,
        history=tuple(observers.rows),
        seconds=observers.seconds,
        stopped_early=taken < steps,
        device=shared.device.describe(),
        shared=shared,
    )


def _check(images: ImageTable, validation: ImageTable | None, config: ClassifierTraining) -> None:
    if not len(images):
        raise UserError("data", "there is no image to train on", "check the source, its classes and its splits")
    if validation is not None and config.training.early_stopping is not None:
        check_validation(len(validation), "training.early_stopping", "set it to null")


def phase_draws(phase: Phase, images: ImageTable, synthetic: ImageTable | None, *, batch_size: int, seed: int) -> Draws:
    """Which images the batches of a phase hold.

    Args:
      phase: how they are drawn.
      images: what `train_classifier` trains on.
      synthetic: the synthetic images of a phase on both.
      batch_size: images in a batch.
      seed: of the order, and of shuffled labels.

    Raises:
      UserError: if a batch cannot hold both shares, or the phase needs synthetic images and there are none.
    """
    if phase.on == "both" and (synthetic is None or not len(synthetic)):
        raise UserError("synthetic", "there is no synthetic image, and the phase needs some", "give some images")
    second = synthetic if phase.on == "both" else images
    if phase.labels == "shuffled":
        if phase.on == "both":
            assert second is not None
            second = _shuffled(second, seed)
        else:
            images = _shuffled(images, seed)
    return Draws(
        images,
        second if phase.blend is not None else None,
        batch_size=batch_size,
        sampling=phase.sampling,
        seed=seed,
        blend=phase.blend,
    )


def _shuffled(images: ImageTable, seed: int) -> ImageTable:
    """The same images with each other's labels, so that every class has as many as before."""
    return replace(images, labels=np.random.default_rng([seed]).permutation(images.labels))


def _start(
    shared: SharedClassifier,
    phase: Phase,
    config: ClassifierTraining,
    draws: Draws,
    steps: int,
    seed: int,
    base_model: Path | None,
) -> None:
    """Puts the shared network at the beginning of the phase."""
    check_head(shared.network, phase)
    shared.reset(seed)
    peak = config.training.learning_rate * phase.learning_rate
    shared.rate.set(peak, warm_up=round(_WARM_UP_SHARE * steps), steps=steps)
    shared.model.optimizer.set_rates(stage_rates(phase.frozen_share or 0.0, phase.first_layer_rate or 1.0))
    shared.model.loss_terms = phase.loss.terms(draws.class_counts(phase.mixing))
    if base_model is not None:
        load_base(shared.network, Path(base_model))
    if phase.head == "fresh":
        shared.reset_head(seed)


def load_base(network: keras.Model, base_model: Path) -> None:
    """Sets `network`'s weights to those of a `.keras` file; nothing else of the file is read, and no code is run.

    Args:
      network: of the same classifier, image shape and classes.
      base_model: the file, or a folder with `model.keras`.

    Raises:
      UserError: if there is none, or it is of another network.
    """
    file = base_model / MODEL_FILE if base_model.is_dir() else base_model
    if not file.is_file():
        raise UserError(str(file), "there is no such model file", "give a model that evenhand wrote")
    try:
        network.load_weights(file)
    except (ValueError, KeyError, OSError) as error:
        raise UserError(
            str(file), f"does not fit the classifier ({' '.join(str(error).split())[:200]})", "use the same classifier"
        ) from error
