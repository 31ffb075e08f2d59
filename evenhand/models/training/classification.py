"""The training step of every classifier, and the compiled network that trainings in one process share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from evenhand import registry
from evenhand.config import Classifier, Device, parse_options
from evenhand.data.image_table import ImageTable
from evenhand.models import losses
from evenhand.models.classifier_losses._terms import LossTerms
from evenhand.models.training.checkpoint import to_array
from evenhand.models.training.device import ResolvedDevice, resolve
from evenhand.models.training.faster_layers import with_faster_layers
from evenhand.models.training.head import head_of
from evenhand.models.training.layer_rates import StagedAdam, stage_rates
from evenhand.models.training.shared_training import SharedTraining

ImageShape = tuple[int, int, int]
Weights = list[NDArray[Any]]

PREDICTION_BATCH = 256

VERSION = "5"
"""Part of the cache keys of trainings and of trials: raise it when the same config should give another classifier."""


def build_network(classifier: Classifier, image_shape: ImageShape, num_classes: int, seed: int) -> keras.Model:
    """Builds a configured classifier: float32[n, h, w, c] in 0..255 -> float32[n, num_classes] logits.

    Raises:
      UserError: if its options or weights are wrong.
    """
    module = registry.load("models.classifiers", classifier.name)
    network: keras.Model = module.build(
        parse_options(module.Options, classifier.options, "classifier.options"),
        variant=registry.variant("models.classifiers", classifier.name),
        image_shape=image_shape,
        num_classes=num_classes,
        weights=classifier.weights,
        seed=seed,
    )
    return network


class CosineRate(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises linearly over the warm-up and then falls to 0 along half a cosine.

    Its settings are variables, so that another phase needs no new trace of the training step.
    """

    def __init__(self) -> None:
        self._settings = [keras.Variable(1.0, trainable=False, name=name) for name in ("peak", "warm_up", "steps")]

    def set(self, peak: float, warm_up: int, steps: int) -> None:
        """Starts another schedule: `warm_up` of `steps` gradient steps rise to `peak`."""
        for variable, value in zip(self._settings, (peak, warm_up, steps), strict=True):
            variable.assign(float(value))

    def __call__(self, step: Any) -> Any:
        """Rate of gradient step number `step`, counted from 0."""
        peak, warm_up, steps = (keras.ops.convert_to_tensor(variable) for variable in self._settings)
        step = keras.ops.cast(step, "float32")
        rising = (step + 1.0) / keras.ops.maximum(warm_up, 1.0)
        passed = keras.ops.clip((step - warm_up) / keras.ops.maximum(steps - warm_up, 1.0), 0.0, 1.0)
        return peak * keras.ops.where(step < warm_up, rising, 0.5 * (1.0 + keras.ops.cos(np.pi * passed)))

    def get_config(self) -> dict[str, Any]:
        """Nothing: the settings are state, not configuration."""
        return {}


class Classification(SharedTraining):
    """Trains a network by any of the losses, whose terms are variables, so that all share one traced step.

    Attributes:
      network: images -> logits.
      best: weights to go back to, when asked for; part of the model's state, so a checkpoint holds them.
    """

    def __init__(self, network: keras.Model, *, keeps_best: bool) -> None:
        super().__init__(name="classification")
        self.network = network
        num_classes = network.output_shape[-1]

        def term(name: str, shape: tuple[int, ...], initial: str) -> keras.Variable:
            return self.add_weight(shape=shape, initializer=initial, trainable=False, dtype="float32", name=name)

        self._terms = (
            term("log_prior", (num_classes,), "zeros"),
            term("class_weights", (num_classes,), "ones"),
            term("focusing", (), "zeros"),
        )
        self._loss_terms = LossTerms.plain(num_classes)
        self.best = [keras.Variable(w, trainable=False, name="best") for w in network.weights] if keeps_best else []
        self.loss_mean = keras.metrics.Mean("loss")
        self.accuracy_mean = keras.metrics.SparseCategoricalAccuracy("accuracy")
        self.built = True

    def call(self, images: Any, training: bool = False) -> Any:
        """float32[n, h, w, c] in 0..255 -> float32[n, c] logits."""
        return self.network(images, training=training)

    @property
    def loss_terms(self) -> LossTerms:
        """What the loss is now."""
        return self._loss_terms

    @loss_terms.setter
    def loss_terms(self, terms: LossTerms) -> None:
        self._loss_terms = terms
        for variable, value in zip(self._terms, (terms.log_prior, terms.weights, terms.focusing), strict=True):
            variable.assign(value)

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """One gradient step on (images, targets), see `training_batches`."""
        images, targets = data
        with tf.GradientTape() as tape:
            logits = self.network(images, training=True)
            loss = losses.weighted_focal_cross_entropy(logits, targets, *self._terms)
            # Replicas' gradients are summed, so each takes its share of the mean.
            scaled = self.optimizer.scale_loss(loss / self.distribute_strategy.num_replicas_in_sync)
        variables = self.network.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        self.loss_mean.update_state(loss)
        self.accuracy_mean.update_state(keras.ops.argmax(targets, axis=-1), logits)
        return self.told({"loss": self.loss_mean.result(), "accuracy": self.accuracy_mean.result()})

    def reset_metrics(self) -> None:
        """Nothing: `fit` calls it when it begins, but a training may go on in the middle of a window of means."""

    def begin_window(self) -> None:
        """Starts new means of loss and accuracy."""
        self.window = [[0.0, 0.0], [0.0, 0.0]]

    @property
    def window(self) -> list[list[float]]:
        """Sum and count of the means so far; Keras leaves metrics out of a model's variables, and so of checkpoints."""
        means = self.loss_mean, self.accuracy_mean
        return [[float(to_array(variable)) for variable in mean.variables] for mean in means]

    @window.setter
    def window(self, values: list[list[float]]) -> None:
        for mean, (total, count) in zip((self.loss_mean, self.accuracy_mean), values, strict=True):
            for variable, value in zip(mean.variables, (total, count), strict=True):
                variable.assign(value)


class SharedClassifier:
    """A compiled network whose traced functions outlive a training; its state belongs to whoever used it last.

    Tracing EfficientNetV2-B0's training step takes 15 to 30 seconds on two cores, more than a phase of the demo. So
    one network per configuration is traced once in a process, and each training starts by putting all its state
    back: weights, batch statistics, dropout noise, optimizer, schedule, rates and loss.

    Args:
      classifier: the config's section.
      image_shape: height, width, channels.
      num_classes: outputs.
      device: the config's section.
      looks_every: steps between the looks of early stopping, after which trainings go back to the best weights they
        had; None where they do not stop early.
    """

    def __init__(
        self,
        classifier: Classifier,
        image_shape: ImageShape,
        num_classes: int,
        device: Device,
        looks_every: int | None,
    ) -> None:
        self.classifier, self.image_shape, self.num_classes = classifier, image_shape, num_classes
        self.device: ResolvedDevice = resolve(device, classifier.name, looks_every=looks_every)
        self._initial: dict[int, Weights] = {}
        with self.device.scope():
            self.network = build_network(classifier, image_shape, num_classes, seed=0)
            self._initial[0] = _values(self.network)
            self.rate = CosineRate()
            optimizer = StagedAdam(self.rate, head_of(self.network).weights)
            optimizer.build(self.network.trainable_variables)
            self.model = Classification(with_faster_layers(self.network), keeps_best=looks_every is not None)
            self.model.compile(
                optimizer=optimizer,
                jit_compile=self.device.jit_compile,
                steps_per_execution=self.device.steps_per_execution,
            )
        self._initial_optimizer = [to_array(variable).copy() for variable in self.model.optimizer.variables]

    def reset(self, seed: int) -> None:
        """Puts everything back to how a fresh build with `seed` would be."""
        if seed not in self._initial:
            with self.device.scope():
                self._initial = {seed: _values(self.build(seed))}
        for variable, value in zip(self.network.variables, self._initial[seed], strict=True):
            variable.assign(value)
        for variable, value in zip(self.model.optimizer.variables, self._initial_optimizer, strict=True):
            variable.assign(value)
        for best, weight in zip(self.model.best, self.network.weights, strict=False):  # none, or one each
            best.assign(weight)
        self.model.loss_terms = LossTerms.plain(self.num_classes)
        self.model.optimizer.set_rates(stage_rates())
        self.model.begin_window()

    def reset_head(self, seed: int) -> None:
        """Puts the last layer back to how a fresh build with `seed`, that of the last `reset`, would be."""
        head = {variable.path for variable in head_of(self.network).weights}
        for variable, value in zip(self.network.variables, self._initial[seed], strict=True):
            if variable.path in head:
                variable.assign(value)

    def build(self, seed: int) -> keras.Model:
        """A network of its own, like the shared one."""
        return build_network(self.classifier, self.image_shape, self.num_classes, seed)

    @property
    def weights(self) -> Weights:
        """A copy of the network's weights."""
        return [to_array(weight).copy() for weight in self.network.weights]

    @weights.setter
    def weights(self, values: Sequence[NDArray[Any]]) -> None:
        for weight, value in zip(self.network.weights, values, strict=True):
            weight.assign(value)

    @cached_property
    def probabilities(self) -> Any:
        """The one traced inference: float32[n, h, w, c] in 0..255 -> float32[n, c] probabilities."""
        signature = [tf.TensorSpec([None, *self.image_shape], tf.float32, name="images")]
        return tf.function(
            lambda images: tf.nn.softmax(self.network(images, training=False)),
            input_signature=signature,
            autograph=False,
        )

    def predict(self, table: ImageTable) -> NDArray[np.float32]:
        """float32[n, c], class probabilities of every row, by the network's present weights."""
        parts = [
            self.probabilities(tf.constant(table.images[start : start + PREDICTION_BATCH], tf.float32)).numpy()
            for start in range(0, len(table), PREDICTION_BATCH)
        ]
        return np.concatenate([np.zeros((0, self.num_classes), np.float32), *parts])


@lru_cache(maxsize=2)
def _shared(
    classifier: str,
    image_shape: ImageShape,
    num_classes: int,
    device: str,
    looks_every: int | None,
    stamp: tuple[int, int] | None,
) -> SharedClassifier:
    del stamp  # it tells apart what is kept
    return SharedClassifier(
        Classifier.model_validate_json(classifier),
        image_shape,
        num_classes,
        Device.model_validate_json(device),
        looks_every,
    )


def shared_classifier(
    classifier: Classifier, image_shape: ImageShape, num_classes: int, device: Device, *, looks_every: int | None
) -> SharedClassifier:
    """The process's one compiled network for these settings; the two used last are kept."""
    settings = classifier.canonical_json(), tuple(image_shape), num_classes, device.canonical_json(), looks_every
    return _shared(*settings, _stamp(classifier.weights))


def _stamp(weights: str | None) -> tuple[int, int] | None:
    """Size and time of a local weights file: another file under the same name makes another network."""
    if weights is None or not Path(weights).is_file():
        return None
    stat = Path(weights).stat()
    return stat.st_size, stat.st_mtime_ns


def _values(network: keras.Model) -> Weights:
    return [to_array(variable).copy() for variable in network.variables]
