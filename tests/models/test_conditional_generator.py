"""The shared loop, on a toy whose arithmetic can be done by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from evenhand.models.training.average import WeightAverage
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from evenhand.models.training.update import Update


def network(name: str) -> keras.Model:
    inputs = keras.Input((1,))
    outputs = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name=name)(inputs)
    return keras.Model(inputs, keras.layers.BatchNormalization(momentum=0.5)(outputs))


class Toy(ConditionalGenerator):
    """Each update lowers the one weight of its network by 1 in every turn (gradient 1, SGD at rate 1)."""

    def __init__(self, *schedule: Mapping[str, int]) -> None:
        super().__init__(image_shape=(1, 1, 1), num_classes=2, seed=7)
        self.first, self.second = network("first"), network("second")
        self.seen: list[tuple[str, float, list[int]]] = []
        networks = (self.first, self.second)
        self.set_updates(
            [
                Update(name, (own,), keras.optimizers.SGD(1.0), metrics=("pixel",) if name == "one" else (), **settings)
                for name, own, settings in zip(("one", "two"), networks, schedule, strict=True)
            ]
        )

    def update_loss(self, update: Update, batch: Batch, seed: Any) -> tuple[Any, Mapping[str, Any]]:
        # Both networks run in training mode, as in adversarial training.
        both = self.first(tf.ones((2, 1)), training=True) + self.second(tf.ones((2, 1)), training=True)
        own = update.networks[0].trainable_weights[0]
        pixel = ops.mean(batch.images)
        if not tf.inside_function():
            self.seen.append((update.name, float(pixel), seed.numpy().tolist()))
        return ops.sum(own) + 0.0 * ops.sum(both), {"pixel": pixel} if update.name == "one" else {}

    def sample(self, labels: Any, seeds: Any) -> Any:
        return tf.zeros((len(labels), 1, 1, 1))

    def weight(self, which: keras.Model) -> float:
        return float(ops.sum(which.trainable_weights[0]))


def fit(model: Toy, steps: int, **settings: Any) -> dict[str, float]:
    model.prepare(**settings)
    size = 2 * model.batches_per_step
    data = tf.data.Dataset.from_tensors((tf.fill((size, 1, 1, 1), 255.0), tf.zeros(size, tf.int32))).repeat(steps)
    history = model.fit(data, verbose=0, shuffle=False).history
    return {name: values[-1] for name, values in history.items()}


def test_every_update_takes_one_turn_in_a_step() -> None:
    model = Toy({}, {})
    fit(model, 3)
    assert (model.weight(model.first), model.weight(model.second), model.steps_done) == (-2.0, -2.0, 3)


def test_warm_up_lasts_until_every_network_learns() -> None:
    assert Toy({}, {"stop": 4}).warm_up == 0
    model = Toy({"stop": 3}, {"start": 3})
    assert model.warm_up == 3
    # A further update of a network that has learnt before is no warm-up.
    one, two = model.updates
    model.set_updates([one, two, Update("late", (model.first,), keras.optimizers.SGD(1.0), start=9)])
    assert model.warm_up == 3


def test_repeat_takes_several_turns() -> None:
    model = Toy({"repeat": 5}, {})
    assert model.batches_per_step == 5
    fit(model, 2)
    assert (model.weight(model.first), model.weight(model.second)) == (1.0 - 10.0, 1.0 - 2.0)


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_schedules_count_steps(steps_per_execution: int) -> None:
    model = Toy({"every": 3}, {"start": 2, "stop": 5})
    fit(model, 8, steps_per_execution=steps_per_execution)
    # `every` 3: steps 0, 3, 6. From 2 up to 5: steps 2, 3, 4.
    assert (model.weight(model.first), model.weight(model.second)) == (1.0 - 3.0, 1.0 - 3.0)


def test_a_schedule_is_compiled_by_xla_too() -> None:
    model = Toy({"every": 2}, {})
    fit(model, 4, jit_compile=True)
    assert (model.weight(model.first), model.weight(model.second)) == (1.0 - 2.0, 1.0 - 4.0)


def test_each_update_leaves_the_batch_statistics_of_others_alone() -> None:
    model = Toy({}, {"start": 100})
    before = [np.asarray(weight) for weight in model.second.weights]
    fit(model, 3)
    for old, new in zip(before, model.second.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    # Its own statistics do move.
    assert float(ops.sum(model.first.non_trainable_weights[0])) != 0.0


def test_losses_and_metrics_are_means_over_the_turns() -> None:
    logs = fit(Toy({}, {"every": 2}), 4)
    # The weight of `one` before its turns: 1, 0, -1, -2; `two` takes turns in steps 0 and 2: 1, 0.
    assert logs["one_loss"] == pytest.approx(-0.5)
    assert logs["two_loss"] == pytest.approx(0.5)
    assert logs["pixel"] == pytest.approx(1.0)


def test_repetitions_see_different_images_and_updates_share_a_seed() -> None:
    model = Toy({"repeat": 2}, {})
    images = tf.constant([0.0, 0.0, 255.0, 255.0])[:, None, None, None]
    model.train_step((images, tf.zeros(4, tf.int32)))
    (_, first, seed), (_, second, other), (name, third, shared) = model.seen
    assert (first, second, third) == (-1.0, 1.0, -1.0)
    assert name == "two"
    assert seed == shared != other


def test_seeds_differ_between_steps() -> None:
    model = Toy({}, {})
    for _ in range(2):
        model.train_step((tf.zeros((2, 1, 1, 1)), tf.zeros(2, tf.int32)))
    assert model.seen[0][2] != model.seen[2][2]


def test_one_optimizer_may_serve_two_updates_of_the_same_network() -> None:
    model = Toy({}, {})
    optimizer = keras.optimizers.SGD(1.0)
    model.set_updates(
        [
            Update("one", (model.first,), optimizer, metrics=("pixel",)),
            Update("two", (model.first,), optimizer, every=2),
        ]
    )
    assert model.optimizers == [optimizer]
    fit(model, 4)
    assert model.weight(model.first) == 1.0 - 6.0


def test_weight_average_by_hand() -> None:
    net = network("net")
    average = WeightAverage(net, decay=0.9)
    net.trainable_weights[0].assign([[2.0]])
    step = keras.Variable(0, dtype="int32", trainable=False)
    average.follow(net, step)
    # (1 + 0) / (10 + 0) = 0.1 of the old 1.0, 0.9 of the new 2.0.
    assert float(ops.sum(average.network.weights[0])) == pytest.approx(1.9)
    step.assign(1000)
    average.follow(net, step)
    assert float(ops.sum(average.network.weights[0])) == pytest.approx(0.9 * 1.9 + 0.1 * 2.0)
    assert average.trainable_weights == []


def test_weight_average_follows_batch_statistics() -> None:
    net = network("net")
    average = WeightAverage(net, decay=0.9)
    for weight in net.non_trainable_weights:
        weight.assign(ops.full_like(weight, 5.0))
    average.follow(net, keras.Variable(10**6, dtype="int32", trainable=False))
    moved = [np.asarray(weight) for weight in average.network.weights]
    expected = [0.9 * old + 0.5 for old in (0.0, 1.0)]
    assert sorted(float(value[0]) for value in moved[-2:]) == pytest.approx(expected)
