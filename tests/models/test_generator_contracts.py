"""What every generator must keep; run over the registry, so that a new one is covered before its own test exists."""

from __future__ import annotations

import dataclasses
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from evenhand import registry
from evenhand.config import Device, Generator, RunConfig, Section, parse_options
from evenhand.data.batches import batches
from evenhand.data.export import export_images
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models.generator_artifact import load_sampler, save_generator
from evenhand.models.preflight import check_models
from evenhand.models.train_generator import GeneratorRun, train_generator
from evenhand.models.training import generator_training
from evenhand.models.training.conditional_generator import Batch, ConditionalGenerator
from tests.tables import noise

NAMES = registry.names("models.generators")
COUNTS = (9, 4, 1)
SHAPES = [(8, 8, 1), (12, 12, 3)]
SMALL: dict[str, dict[str, Any]] = {
    "acgan": {"width": 4, "latent_size": 8},
    "wgan_gp": {"width": 4, "latent_size": 8, "critic_steps": 2},
    "bagan": {"warm_up_steps": 2},
    "class_vae": {"width": 4, "latent_size": 4, "warm_up_steps": 2},
    "diffusion": {
        "width": 4,
        "multipliers": (1,),
        "dropout": 0.1,
        "warm_up_steps": 2,
        "label_dropout": 0.2,
        "guidance": 1.5,
        "augmentation": 0.5,
        "sampling_steps": 2,
    },
    "reacgan": {"width": 4, "chunk_size": 4, "embedding_size": 4, "average_start": 2, "lecam_weight": 1},
    "polarity_gan": {"warm_up_steps": 2, "width": 4, "code_size": 8, "latent_size": 4, "critic_steps": 1},
    "spade": {"width": 2, "hidden": 4, "latent_size": 4, "discriminator_width": 4, "scales": 1},
}
"""Options that make a generator small enough for tests, and take it through all its stages in four steps."""
TRACES: dict[str, int] = {}
"""How often the training step of `trained` was traced, by generator."""


@pytest.fixture(scope="session", autouse=True)
def _given_images(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The folder that `folder` reads: three images for each class."""
    root = tmp_path_factory.mktemp("given") / "images"
    drawn = noise((8, 8, 1), (3, 3, 3), seed=2)
    names = [drawn.class_names[label] for label in drawn.labels]
    export_images(zip(drawn.images, drawn.labels, names, strict=True), drawn.class_names, root, "folder")
    SMALL["folder"] = {"path": str(root)}


def table(image_shape: tuple[int, int, int] = (8, 8, 1)) -> ImageTable:
    keypoints = np.random.default_rng(1).uniform(0.0, 1.0, (sum(COUNTS), 21, 3)).astype(np.float32)
    return dataclasses.replace(noise(image_shape, COUNTS), keypoints=keypoints)


def options(name: str) -> Section:
    parsed: Section = registry.load("models.generators", name).Options(**SMALL.get(name, {}))
    return parsed


@cache
def build(name: str, image_shape: tuple[int, int, int] = (8, 8, 1)) -> ConditionalGenerator:
    model: ConditionalGenerator = registry.load("models.generators", name).build(
        options(name), table(image_shape), seed=0
    )
    model.prepare_to_sample(table(image_shape))
    return model


def train(name: str, state_dir: Path) -> GeneratorRun:
    """Four steps, with a checkpoint after each of them."""
    given = options(name).model_dump(mode="json")
    config = Generator(name=name, steps=4, batch_size=8, monitor=None, options=given)
    # As in a process of its own: see make_deterministic.
    keras.backend.clear_session(free_memory=False)
    one_by_one = Device(steps_per_execution=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator_training, "CHECKPOINT_EVERY_STEPS", 1)
        return train_generator(table(), config, seed=0, deterministic=True, device=one_by_one, state_dir=state_dir)


def checkpoints(name: str) -> Path:
    """The folder of the checkpoints of `trained`."""
    return Path(SMALL["folder"]["path"]).parent / f"state-{name}"


@cache
def trained(name: str) -> GeneratorRun:
    step = ConditionalGenerator.train_step

    def counted(model: ConditionalGenerator, data: Any) -> Any:
        TRACES[name] = TRACES.get(name, 0) + 1
        return step(model, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConditionalGenerator, "train_step", counted)
        return train(name, checkpoints(name))


def weights(model: ConditionalGenerator) -> list[NDArray[Any]]:
    return [np.asarray(weight) for weight in model.weights]


@pytest.mark.parametrize("name", NAMES)
def test_only_one_with_a_warm_up_has_updates_that_rest(name: str) -> None:
    # By which `preflight` knows, with nothing built, what trains on a single device.
    is_scheduled = any(update.is_scheduled for update in build(name).updates)
    assert is_scheduled == hasattr(registry.load("models.generators", name), "AUTOENCODER")


@pytest.mark.parametrize("image_shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_samples_have_the_shape_and_range_of_images(name: str, image_shape: tuple[int, int, int]) -> None:
    labels = tf.constant([0, 1, 2, 0, 1, 2])
    images = build(name, image_shape).sample(labels, tf.range(6, dtype=tf.int64)).numpy()
    assert images.shape == (6, *image_shape)
    assert images.dtype == np.float32
    assert np.isfinite(images).all()
    assert images.min() >= -1.0
    assert images.max() <= 1.0


@pytest.mark.parametrize("name", NAMES)
def test_samples_depend_on_label_and_seed(name: str) -> None:
    # Trained a little: some networks start from zero, where no label counts yet.
    model = trained(name).model
    images = model.sample(tf.constant([0, 0, 1]), tf.constant([5, 6, 5], tf.int64)).numpy()
    assert (images[0] != images[1]).any()
    assert (images[0] != images[2]).any()
    np.testing.assert_array_equal(images, model.sample(tf.constant([0, 0, 1]), tf.constant([5, 6, 5], tf.int64)))


@pytest.mark.parametrize("name", NAMES)
def test_each_update_changes_only_its_own_networks(name: str) -> None:
    model = registry.load("models.generators", name).build(options(name), table(), seed=0)
    images = tf.random.stateless_uniform((8, 8, 8, 1), (0, 0), -1.0, 1.0)
    keypoints = tf.random.stateless_uniform((8, 21, 3), (0, 1)) if model.uses_keypoints else None
    batch = Batch(images, tf.constant([0, 1, 2, 0, 1, 2, 0, 1]), keypoints)
    for update in model.updates:
        own = {id(weight) for network in update.networks for weight in network.weights}
        before = weights(model)
        model.improve(update, batch, tf.constant([0, 1]))
        changed = {
            id(variable)
            for variable, old in zip(model.weights, before, strict=True)
            if (np.asarray(variable) != old).any()
        }
        assert changed, update.name
        assert changed <= own, update.name


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_finite_and_logged(name: str) -> None:
    run = trained(name)
    # What rests since a warm-up has nothing to log at the end.
    for update in [update for update in run.model.updates if update.stop is None]:
        for metric in (f"{update.name}_loss", f"{update.name}_gradient_norm", *update.metrics):
            assert np.isfinite(run.history[-1][metric])


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_other_numbers(name: str) -> None:
    module = registry.load("models.generators", name)
    one, two = (module.build(options(name), table(), seed=seed) for seed in (0, 1))
    if not one.updates:
        pytest.skip("nothing is trained")
    assert any((a != b).any() for a, b in zip(weights(one), weights(two), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_saved_generator_draws_the_same_images(name: str, tmp_path: Path) -> None:
    run = trained(name)
    save_generator(run, tmp_path, class_names=("a", "b", "c"))
    labels, seeds = np.array([0, 1, 2, 2], np.int32), np.array([0, 1, 2, 2**40], np.int64)
    images = load_sampler(tmp_path)(labels, seeds)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, run.sampler()(labels, seeds))


@pytest.mark.parametrize("name", NAMES)
def test_interrupted_and_resumed_equals_uninterrupted(name: str, tmp_path: Path) -> None:
    whole = trained(name)
    if not whole.model.updates:
        pytest.skip("nothing is trained")
    # As a kill after the third step leaves it, which is past the warm-up.
    state = shutil.copytree(checkpoints(name), tmp_path / "state")
    for file in state.glob("step-00000004.*"):
        file.unlink()
    assert {file.stem for file in state.iterdir()} == {"step-00000003"} and build(name).warm_up < 3
    resumed = train(name, state)
    assert resumed.model.steps_done == whole.model.steps_done
    for expected, actual in zip(weights(whole.model), weights(resumed.model), strict=True):
        np.testing.assert_array_equal(expected, actual)


@pytest.mark.parametrize("name", NAMES)
def test_the_training_step_is_never_traced_again(name: str) -> None:
    model = trained(name).model
    if not model.updates:
        pytest.skip("nothing is trained")
    assert TRACES[name] == 1  # though the training had a milestone
    before = weights(model)

    def traced_again(data: Any) -> Any:
        raise AssertionError(f"traced again for {data}")

    size = 8 * model.batches_per_step
    data = batches(
        table(),
        batch_size=size,
        sampling="balanced",
        seed=1,
        num_steps=3,
        first_step=4,
        with_keypoints=model.uses_keypoints,
    )
    step, model.train_step = model.train_step, traced_again
    try:
        model.fit(data, steps_per_epoch=3, verbose=0, shuffle=False)
        assert model.steps_done == 7
    finally:
        model.train_step = step
        # The other tests know it as it was after four steps.
        for variable, value in zip(model.weights, before, strict=True):
            variable.assign(value)


@pytest.mark.parametrize("name", NAMES)
def test_too_few_steps_are_told_before_anything_is_built(name: str) -> None:
    warm_up = build(name).warm_up
    if not warm_up:
        pytest.skip("all networks learn from the first step on")
    config = Generator(name=name, options=options(name).model_dump(mode="json"), steps=warm_up)
    with pytest.raises(UserError, match=rf"generator\.steps: is {warm_up}, but {name} warms up for {warm_up} steps"):
        check_models(RunConfig(generator=config))
    check_models(RunConfig(generator=config.model_copy(update={"steps": warm_up + 1})))


@pytest.mark.parametrize("name", NAMES)
def test_options_round_trip(name: str) -> None:
    parsed = options(name)
    kind = registry.load("models.generators", name).Options
    assert parse_options(kind, parsed.model_dump(mode="json"), "generator.options") == parsed
    assert registry.summary("models.generators", name)
