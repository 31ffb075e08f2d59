"""What every generator must keep; run over the registry, so that a new one is covered before its own test exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from evenhand import registry
from evenhand.config import Generator, parse_options
from evenhand.data.image_table import ImageTable
from evenhand.models.generator_artifact import load_sampler, save_generator
from evenhand.models.train_generator import GeneratorRun, train_generator
from evenhand.models.training.adversarial import Batch, ConditionalGenerator

NAMES = registry.names("models.generators")
NUM_CLASSES = 3
SHAPES = [(8, 8, 1), (12, 12, 3)]


def build(name: str, image_shape: tuple[int, int, int] = (8, 8, 1), seed: int = 0) -> ConditionalGenerator:
    module = registry.load("models.generators", name)
    model = module.build(module.Options(), image_shape=image_shape, num_classes=NUM_CLASSES, seed=seed)
    model.prepare()
    return model


def table(image_shape: tuple[int, int, int] = (8, 8, 1)) -> ImageTable:
    numbers = np.random.default_rng(0)
    labels = np.repeat(np.arange(NUM_CLASSES, dtype=np.int32), (9, 4, 1))
    images = numbers.integers(0, 256, (len(labels), *image_shape)).astype(np.uint8)
    return ImageTable(images, labels, labels.astype(str), ("a", "b", "c"))


def train(name: str, seed: int = 0, steps: int = 2, **settings: object) -> GeneratorRun:
    config = Generator(name=name, steps=steps, batch_size=8)
    return train_generator(table(), config, seed=seed, deterministic=False, **settings)  # type: ignore[arg-type]


def draw(model: ConditionalGenerator, count: int = 6) -> NDArray[np.float32]:
    labels = tf.constant(np.arange(count) % NUM_CLASSES, tf.int32)
    images: NDArray[np.float32] = model.sample(labels, tf.range(count, dtype=tf.int64)).numpy()
    return images


def weights(model: ConditionalGenerator) -> list[NDArray[np.float32]]:
    return [np.asarray(weight) for weight in model.weights]


@pytest.mark.parametrize("image_shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_samples_have_the_shape_and_range_of_images(name: str, image_shape: tuple[int, int, int]) -> None:
    images = draw(build(name, image_shape))
    assert images.shape == (6, *image_shape)
    assert images.dtype == np.float32
    assert np.isfinite(images).all()
    assert images.min() >= -1.0
    assert images.max() <= 1.0


@pytest.mark.parametrize("name", NAMES)
def test_samples_depend_on_label_and_seed(name: str) -> None:
    model = build(name)
    images = model.sample(tf.constant([0, 0, 1]), tf.constant([5, 6, 5], tf.int64)).numpy()
    assert (images[0] != images[1]).any()
    assert (images[0] != images[2]).any()
    np.testing.assert_array_equal(images, model.sample(tf.constant([0, 0, 1]), tf.constant([5, 6, 5], tf.int64)))


@pytest.mark.parametrize("name", NAMES)
def test_each_update_changes_only_its_own_networks(name: str) -> None:
    model = build(name)
    batch = Batch(tf.zeros((8, 8, 8, 1)), tf.constant([0, 1, 2, 0, 1, 2, 0, 1]))
    for update in model.updates:
        own = {id(weight) for network in update.networks for weight in network.weights}
        before = weights(model)
        tf.function(model._improve)(update, batch, tf.constant([0, 1]))
        changed = {
            id(variable)
            for variable, old in zip(model.weights, before, strict=True)
            if (np.asarray(variable) != old).any()
        }
        assert changed, update.name
        assert changed <= own, update.name


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_finite_and_logged(name: str) -> None:
    run = train(name)
    assert run.history[-1]["step"] == 2
    for update in run.model.updates:
        assert np.isfinite(run.history[-1][f"{update.name}_loss"])
        for metric in update.metrics:
            assert np.isfinite(run.history[-1][metric])


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_gives_the_same_numbers(name: str) -> None:
    first, second, other = weights(train(name).model), weights(train(name).model), weights(train(name, seed=1).model)
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any((one != two).any() for one, two in zip(first, other, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_saved_generator_draws_the_same_images(name: str, tmp_path: Path) -> None:
    run = train(name)
    save_generator(run, tmp_path, class_names=("a", "b", "c"))
    labels, seeds = np.array([0, 1, 2, 2], np.int32), np.array([0, 1, 2, 2**40], np.int64)
    images = load_sampler(tmp_path)(labels, seeds)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, run.sampler()(labels, seeds))


@pytest.mark.parametrize("name", NAMES)
def test_interrupted_and_resumed_equals_uninterrupted(name: str, tmp_path: Path) -> None:
    whole = train(name, steps=4)
    train(name, steps=2, state_dir=tmp_path)
    resumed = train(name, steps=4, state_dir=tmp_path)
    assert resumed.model.steps_done == 4
    for expected, actual in zip(weights(whole.model), weights(resumed.model), strict=True):
        np.testing.assert_array_equal(expected, actual)


@pytest.mark.parametrize("name", NAMES)
def test_training_step_is_traced_once(name: str) -> None:
    model = build(name)
    model.prepare(steps_per_execution=2)
    traces = 0
    step = model.train_step

    def counted(data: Any) -> Any:
        nonlocal traces
        traces += 1
        return step(data)

    model.train_step = counted  # type: ignore[method-assign]
    size = 8 * model.batches_per_step
    data = tf.data.Dataset.from_tensors((tf.zeros((size, 8, 8, 1)), tf.zeros(size, tf.int32))).repeat(2)
    model.fit(data, verbose=0, shuffle=False)
    after_first = traces
    model.fit(data.repeat(3), verbose=0, shuffle=False)
    assert traces == after_first


@pytest.mark.parametrize("name", NAMES)
def test_options_round_trip(name: str) -> None:
    module = registry.load("models.generators", name)
    options = module.Options()
    assert parse_options(module.Options, options.model_dump(mode="json"), "generator.options") == options
    assert registry.summary("models.generators", name)
