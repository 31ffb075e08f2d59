"""The one training loop of all generators: a Keras model that walks its updates in `train_step`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from evenhand.data.image_table import ImageTable
from evenhand.models.training.shared_training import SharedTraining
from evenhand.models.training.update import Update

Tensor = Any


class Batch(NamedTuple):
    """Real images as a loss sees them.

    Attributes:
      images: float32[n, h, w, c] in [-1, 1].
      labels: int32[n].
      keypoints: float32[n, k, 3], x and y in 0..1 of width and height and the confidence; None unless the generator
        asks for them (`uses_keypoints`).
    """

    images: Tensor
    labels: Tensor
    keypoints: Tensor | None = None


class ConditionalGenerator(SharedTraining):
    """A generator that draws images of a given class, and the training of it.

    A subclass builds its networks, names its updates with `set_updates` and says what they minimise (`update_loss`) and
    how an image is drawn (`sample`). Everything else is here or in the callbacks of `fit`: gradients, optimizers,
    schedules, random seeds, and the promise that an update changes nothing but its own networks.

    Data for `fit` are pairs (float32[m, h, w, c] in 0..255, int32[m]), where m is the batch size times
    `batches_per_step`; with `uses_keypoints`, float32[m, k, 3] comes third. A generator without updates needs no
    training.

    A subclass with a network that tells real images from synthetic ones may offer `realness(images, labels)`:
    float32[n] of float32[n, h, w, c] in [-1, 1] and int32[n], higher for what looks more real. It is saved with the
    generator. Its module says so by `JUDGES_IMAGES = True`, which is read before anything is built.

    A generator that trains one network alone in its first `warm_up_steps` steps names that update `AUTOENCODER` in its
    module, so that too few steps are refused before anything is built. Such a schedule is for one device, see
    `train_generator`.

    Args:
      image_shape: height, width, channels.
      num_classes: classes; labels are in [0, num_classes).
      seed: of everything that is drawn in training.
    """

    updates: tuple[Update, ...]
    uses_keypoints: ClassVar[bool] = False

    def __init__(self, *, image_shape: tuple[int, int, int], num_classes: int, seed: int) -> None:
        super().__init__()
        self.image_shape, self.num_classes, self.training_seed = tuple(image_shape), num_classes, seed
        # TensorFlow keeps variables of int32 in the memory of the CPU, where what XLA compiles for a GPU cannot reach.
        self.step = self.add_weight(name="step", shape=(), dtype="int64", initializer="zeros", trainable=False)
        self.built = True

    def set_updates(self, updates: Sequence[Update]) -> None:
        """Takes the updates, in their order, and builds their optimizers."""
        self.updates = tuple(updates)
        self.optimizers = list({id(update.optimizer): update.optimizer for update in updates}.values())
        for update in updates:
            update.optimizer.build(update.trainable_weights)
        names = [
            name
            for update in updates
            for name in (f"{update.name}_loss", f"{update.name}_gradient_norm", *update.metrics)
        ]
        self._means = {name: keras.metrics.Mean(name=name) for name in names}

    @abstractmethod
    def update_loss(self, update: Update, batch: Batch, seed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What `update` minimises.

        Args:
          update: one of `updates`.
          batch: real images, other ones for each repetition within a step.
          seed: int32[2] for stateless random operations; the same for all updates of a step (by repetition), so that a
            generator can meet the very latents that its discriminator has just seen. Fold in numbers to draw more.

        Returns:
          A scalar, and the values named in `update.metrics`.
        """

    @abstractmethod
    def sample(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """Draws images; each depends on its own label and seed alone.

        Args:
          labels: int32[n].
          seeds: int64[n].

        Returns:
          float32[n, h, w, c] in [-1, 1].
        """

    def after_step(self) -> None:  # noqa: B027 - most generators need nothing here
        """Called at the end of each training step, e.g. to move a running average of weights."""

    def milestones(self) -> Mapping[int, Callable[[ImageTable], None]]:
        """What is done between two steps with all training images, by the number of steps before it.

        E.g. the statistics of an encoder's latents once its warm-up is over. A training that goes on from just that
        step does it again, so it may depend on weights and images alone, and doing it twice must change nothing.
        """
        return {}

    def prepare_to_sample(self, images: ImageTable) -> None:  # noqa: B027 - most generators need nothing here
        """Brings up to date what `sample` reads besides weights, e.g. the latents of the training images.

        Called whenever images are about to be drawn, during training too, which it may not influence.
        """

    @property
    def available(self) -> tuple[int, ...] | None:
        """How many images of each class there are to draw, seeds 0 onwards; None for any number."""
        return None

    @property
    def batches_per_step(self) -> int:
        """Batches of real images that a step consumes: one for each repetition of the update that repeats most."""
        return max((update.repeat for update in self.updates), default=1)

    @property
    def warm_up(self) -> int:
        """The step in which the last of the networks begins to learn; before it, one is as it was initialised."""
        starts: dict[int, int] = {}
        for update in self.updates:
            for network in update.networks:
                starts[id(network)] = min(update.start, starts.get(id(network), update.start))
        return max(starts.values(), default=0)

    @property
    def steps_done(self) -> int:
        """Training steps so far."""
        return int(tf.convert_to_tensor(self.step.value))

    @property
    def _step_now(self) -> Tensor:
        return tf.cast(self.step.value, tf.int32)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Means of the losses and other values since the last reset."""
        return list(self._means.values())

    def prepare(self, *, jit_compile: bool = False, steps_per_execution: int = 1) -> None:
        """Compiles the model for `fit`; the optimizers are those of its updates."""
        self.compile(optimizer=None, loss=None, jit_compile=jit_compile, steps_per_execution=steps_per_execution)

    def call(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """`sample`, for Keras."""
        return self.sample(*inputs)

    def train_step(self, data: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Every update once, in order, each as often as it repeats and only in the steps of its schedule."""
        batches = self._batches(*data)
        seed = self._step_seed()
        for update in self.updates:
            for repetition in range(update.repeat):
                own_seed = tf.random.experimental.stateless_fold_in(seed, repetition)
                self._take_turn(update, batches[repetition], own_seed)
        self.after_step()
        self.step.assign_add(1)
        return self.told({metric.name: metric.result() for metric in self.metrics})

    def _batches(self, images: Tensor, labels: Tensor, keypoints: Tensor | None = None) -> list[Batch]:
        count = self.batches_per_step
        return [
            Batch(*parts)
            for parts in zip(
                tf.split(ops.cast(images, "float32") / 127.5 - 1.0, count),
                tf.split(ops.cast(labels, "int32"), count),
                [None] * count if keypoints is None else tf.split(ops.cast(keypoints, "float32"), count),
                strict=True,
            )
        ]

    def _step_seed(self) -> Tensor:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.random.experimental.stateless_fold_in(tf.constant([self.training_seed, 0]), self._step_now)
        return tf.random.experimental.stateless_fold_in(seed, tf.cast(replica, tf.int32))

    def _take_turn(self, update: Update, batch: Batch, seed: Tensor) -> None:
        if not update.is_scheduled:
            return self.improve(update, batch, seed)
        step = self._step_now
        stop = tf.int32.max if update.stop is None else update.stop
        is_due = (step >= update.start) & (step < stop) & ((step - update.start) % update.every == 0)
        # A condition within the graph: a schedule never traces the step again.
        return tf.cond(is_due, lambda: self.improve(update, batch, seed), lambda: None)

    def improve(self, update: Update, batch: Batch, seed: Tensor) -> None:
        """One turn of one update: its loss, the gradients, the optimizer's step, and its metrics.

        Args:
          update: one of `updates`.
          batch: real images.
          seed: int32[2].
        """
        others = self._statistics_of_others(update)
        before = [tf.identity(variable.value) for variable in others]
        weights = update.trainable_weights
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in weights])
            loss, metrics = self.update_loss(update, batch, seed)
            # Replicas' gradients are summed, so each takes its share of the mean.
            scaled = update.optimizer.scale_loss(loss / tf.distribute.get_strategy().num_replicas_in_sync)
        gradients = tape.gradient(scaled, [weight.value for weight in weights])
        update.optimizer.apply(gradients, weights)
        # Running the other networks in training mode moved their batch statistics: put them back.
        for variable, value in zip(others, before, strict=True):
            variable.assign(value)
        self._means[f"{update.name}_loss"].update_state(loss)
        self._means[f"{update.name}_gradient_norm"].update_state(tf.linalg.global_norm(gradients))
        for name in update.metrics:
            self._means[name].update_state(metrics[name])

    def _statistics_of_others(self, update: Update) -> list[keras.Variable]:
        own = {id(network) for network in update.networks}
        networks = {id(network): network for other in self.updates for network in other.networks}
        return [
            variable
            for key, network in networks.items()
            if key not in own
            for variable in network.non_trainable_weights
        ]
