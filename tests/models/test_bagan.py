"""`bagan`: published sizes, the Gaussians of latents against numpy's own, and what each stage learns."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand.config import Generator, parse_options
from evenhand.data.image_table import ImageTable
from evenhand.models.banks import class_gaussians
from evenhand.models.banks.class_gaussians import Moments, class_moments, gaussians
from evenhand.models.generators import bagan
from evenhand.models.training.conditional_generator import Batch
from evenhand.models.training.generator_training import GeneratorTraining
from tests.tables import noise

COUNTS = (6, 3, 1)
SEED = tf.constant([0, 1])


def build(counts: tuple[int, ...] = COUNTS, shape: tuple[int, int, int] = (8, 8, 1), **options: Any) -> bagan.BAGAN:
    return bagan.build(bagan.Options(**options), noise(shape, counts), seed=0)


@pytest.mark.parametrize(
    ("shape", "generator", "discriminator", "encoder"),
    [
        ((28, 28, 1), 8_163_840, 525_835, 1_642_340),
        ((32, 32, 3), 10_130_944, 568_651, 2_026_916),
        ((64, 64, 3), 11_769_344, 1_748_811, 3_207_076),
    ],
)
def test_parameters_are_those_of_the_paper(
    shape: tuple[int, int, int], generator: int, discriminator: int, encoder: int
) -> None:
    model = build((1,) * 10, shape, size="paper")
    assert model.generator.count_params() == generator
    assert model.discriminator.count_params() == discriminator
    assert model.encoder.count_params() == encoder
    assert not any("bias" in weight.path for weight in model.generator.weights)


def test_paper_is_trained_as_its_code_does() -> None:
    options = bagan.Options(size="paper")
    assert options.model_dump(exclude={"warm_up_steps"}) == {
        "size": "paper",
        "labels": "uniform",
        "learning_rate": 5e-5,
        "beta_1": 0.5,
        "dropout": 0.3,
        "augmentation": (),
        "average_decay": 0.0,
    }
    parsed = parse_options(bagan.Options, bagan.Options().model_dump(mode="json"), "generator.options")
    assert parsed == bagan.Options()


@pytest.mark.parametrize("shape", [(8, 8, 1), (12, 12, 3), (30, 44, 1), (64, 64, 3)])
def test_networks_fit_any_size(shape: tuple[int, int, int]) -> None:
    model = build(shape=shape)
    images = model.sample(tf.constant([0, 1]), tf.constant([0, 1], tf.int64))
    assert images.shape == (2, *shape)
    assert model.discriminator(images).shape == (2, 4)
    assert model.generator(model.encoder(images)).shape == (2, *shape)


def test_moments_of_batches_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_gaussians, "_BATCH", 4)
    table, vectors = _encoded((11, 5, 0, 1))
    moments = class_moments(_encode_as(vectors), table, 3)
    assert [each.count for each in moments] == [11, 5, 0, 1]
    for label, each in enumerate(moments[:2]):
        own = vectors[table.labels == label].astype(np.float64)
        np.testing.assert_allclose(each.mean, own.mean(0))
        np.testing.assert_allclose(each.scatter, np.cov(own.T) * (len(own) - 1))
    np.testing.assert_array_equal(moments[3].scatter, np.zeros((3, 3)))


def test_covariance_of_a_small_class_is_shrunk_to_the_shared_one() -> None:
    table, vectors = _encoded((11, 5, 0, 1))
    means, factors = gaussians(class_moments(_encode_as(vectors), table, 3))
    one, two = (np.cov(vectors[table.labels == label].T.astype(np.float64)) for label in (0, 1))
    within = (10 * one + 4 * two) / 14
    ridge = 1e-4 * np.eye(3)
    expected = [
        11 / 14 * one + 3 / 14 * within + ridge,
        5 / 8 * two + 3 / 8 * within + ridge,
        np.cov(vectors.T.astype(np.float64)) + ridge,
        within + ridge,
    ]
    np.testing.assert_allclose(factors @ factors.transpose(0, 2, 1), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(factors, np.tril(factors))
    np.testing.assert_allclose(means[2], vectors.mean(0), rtol=1e-6)
    np.testing.assert_allclose(means[3], vectors[-1], rtol=1e-6)


def test_single_images_of_all_classes_still_give_gaussians() -> None:
    vectors = np.array([[0.0, 0.0], [2.0, 0.0]])
    moments = [Moments.of(vectors[:1]), Moments.of(vectors[1:])]
    _, factors = gaussians(moments)
    np.testing.assert_allclose(factors[0] @ factors[0].T, [[2.0001, 0.0], [0.0, 0.0001]], rtol=1e-4)
    _, factors = gaussians([moments[0]])
    np.testing.assert_allclose(factors[0], 0.01 * np.eye(2), rtol=1e-5)


def test_latents_follow_the_gaussian_of_their_class() -> None:
    model = build()
    random, size = np.random.default_rng(0), model.latent_size
    factor = np.tril(random.normal(size=(size, size))).astype(np.float32)
    mean = random.normal(size=size).astype(np.float32)
    model.class_means.assign(np.stack([0 * mean, mean, 0 * mean]))
    model.class_factors.assign(np.stack([0 * factor, factor, 0 * factor]))
    labels = tf.ones(20_000, tf.int32)
    latents = model.latents(tf.random.stateless_normal((20_000, size), SEED), labels).numpy()
    covariance = factor @ factor.T
    error = 4 * np.sqrt(np.diag(covariance) / 20_000)
    assert (np.abs(latents.mean(0) - mean) < error).all()
    np.testing.assert_allclose(np.cov(latents.T), covariance, atol=0.05 * np.diag(covariance).max())


def test_label_laws() -> None:
    counts = np.array([50, 30, 15, 5])
    np.testing.assert_allclose(bagan.label_shares("rebalance", counts), [0.0, 0.2, 0.35, 0.45])
    np.testing.assert_allclose(bagan.label_shares("uniform", counts), [0.25] * 4)


def test_each_stage_learns_what_the_paper_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 7 real images, 3 classes: D meets ceil(7 / 3) = 3 synthetic ones as class 3, G draws 7 + 3."""
    model = build(augmentation=(), dropout=0.0)
    batch = Batch(tf.random.stateless_uniform((7, 8, 8, 1), SEED, -1.0, 1.0), tf.constant([0, 1, 2, 0, 1, 2, 0]))
    logits = np.log([0.1, 0.2, 0.3, 0.4]).astype(np.float32)
    seen: list[int] = []

    def judge(images: Any, seed: Any) -> Any:
        seen.append(len(images))
        return tf.tile(logits[None], (len(images), 1))

    monkeypatch.setattr(model, "_judge", judge)
    autoencoder, discriminator, generator = model.updates
    loss, _ = model.update_loss(autoencoder, batch, SEED)
    decoded = model.generator(model.encoder(batch.images))
    assert float(loss) == pytest.approx(np.mean((decoded - batch.images) ** 2), rel=1e-5)
    loss, metrics = model.update_loss(discriminator, batch, SEED)
    assert seen == [7, 3]
    assert float(loss) == pytest.approx(-np.log([0.1] * 3 + [0.2] * 2 + [0.3] * 2 + [0.4] * 3).mean(), rel=1e-5)
    # Real with probability 0.6, so all count as real.
    assert {name: float(value) for name, value in metrics.items()} == {"real_accuracy": 1.0, "synthetic_accuracy": 0.0}
    monkeypatch.setattr(model, "_draw_labels", lambda number, seed: tf.constant([2] * number))
    loss, _ = model.update_loss(generator, batch, SEED)
    assert seen == [7, 3, 10]
    assert float(loss) == pytest.approx(-np.log(0.3), rel=1e-5)


def test_warm_up_ends_with_the_trunk_and_the_gaussians() -> None:
    table = noise((8, 8, 1), COUNTS)

    def train(steps: int) -> bagan.BAGAN:
        config = Generator(name="bagan", steps=steps, batch_size=4, options={"warm_up_steps": 2, "size": "small"})
        model = build(warm_up_steps=2)
        model.prepare()
        # Not by `train_generator`, which refuses a training that ends with the warm-up.
        GeneratorTraining(model, table, None, config, seed=0, state_dir=None, log_dir=None).run()
        return model

    model = train(2)
    assert [(each.name, each.start, each.stop) for each in model.updates] == [
        ("autoencoder", 0, 2),
        ("discriminator", 2, None),
        ("generator", 2, None),
    ]
    _assert_same_trunk(model)
    assert model.encoder.get_layer("head").kernel.shape != model.discriminator.get_layer("head").kernel.shape
    codes = model.encoder(table.images.astype(np.float32) / 127.5 - 1.0, training=False).numpy()
    np.testing.assert_allclose(model.class_means[1], codes[6:9].mean(0), atol=1e-5)
    later = train(4)
    later.prepare_to_sample(dataclasses.replace(table, images=255 - table.images))
    np.testing.assert_array_equal(later.class_means, model.class_means)
    np.testing.assert_array_equal(later.class_factors, model.class_factors)
    for one, two in zip(model.encoder.get_weights(), later.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(AssertionError):
        _assert_same_trunk(later)


def test_average_is_what_is_drawn_from() -> None:
    labels, seeds = tf.constant([0, 1]), tf.constant([0, 1], tf.int64)
    model = build(average_decay=0.9)
    model.prepare_to_sample(noise((8, 8, 1), COUNTS))
    before = model.sample(labels, seeds).numpy()
    model.generator.set_weights([0.5 * weight for weight in model.generator.get_weights()])
    np.testing.assert_array_equal(model.sample(labels, seeds), before)
    model.after_step()
    assert (model.sample(labels, seeds).numpy() != before).any()


def _encoded(counts: tuple[int, ...]) -> tuple[ImageTable, np.ndarray[Any, np.dtype[np.float32]]]:
    """Images whose first pixel is their number, and the vectors that `_encode_as` makes of them."""
    table = noise((1, 1, 1), counts)
    images = np.arange(len(table), dtype=np.uint8).reshape(-1, 1, 1, 1)
    vectors = np.random.default_rng(0).normal(size=(len(table), 3)).astype(np.float32)
    return dataclasses.replace(table, images=images), vectors


def _encode_as(vectors: np.ndarray[Any, np.dtype[np.float32]]) -> class_gaussians.Encode:
    return lambda images: vectors[np.rint((images[:, 0, 0, 0] + 1.0) * 127.5).astype(int)]


def _assert_same_trunk(model: bagan.BAGAN) -> None:
    convolutions = [layer for layer in model.encoder.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convolutions) == 2
    for layer in convolutions:
        for one, two in zip(layer.get_weights(), model.discriminator.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)
