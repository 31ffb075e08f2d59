"""`cgan`: sizes and losses worked by hand, and that S3 is trained as S3 says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from evenhand.config import parse_options
from evenhand.errors import UserError
from evenhand.models.generators import cgan
from evenhand.models.networks import seeded
from evenhand.models.training.conditional_generator import Batch
from evenhand.models.training.differentiable_augmentation import augment, translate
from tests.tables import noise

LABELS = [0, 1, 2, 2]


def build(image_shape: tuple[int, int, int] = (28, 28, 1), **options: Any) -> cgan.CGAN:
    return cgan.build(cgan.Options(**options), noise(image_shape, [1] * 10), seed=0)


@pytest.mark.parametrize(
    ("variant", "trainable", "moving"),
    [
        ("mlp_cgan_relu", 1_489_012, 0),
        ("mlp_cgan_leaky", 1_489_012, 0),
        ("small_mlp_cgan_leaky", 562_292, 0),
        ("big_mlp_cgan_leaky", 2_312_180, 2_816),
        ("dccgan", 1_354_788, 0),
    ],
)
def test_parameters_are_those_of_s3(variant: str, trainable: int, moving: int) -> None:
    model = build(variant=variant)
    assert sum(weight.value.shape.num_elements() for weight in model.generator.trainable_weights) == trainable
    assert sum(weight.value.shape.num_elements() for weight in model.generator.non_trainable_weights) == moving
    assert model.discriminator.count_params() == 1_470_565


def test_big_variant_normalises_after_the_second_and_before_the_last_activation() -> None:
    kinds = [type(layer).__name__ for layer in build(variant="big_mlp_cgan_leaky").generator.layers]
    hidden = kinds[kinds.index("Concatenate") + 1 : kinds.index("Reshape")]
    block = ["Dense", "ReLU"]
    assert hidden == [
        *block, *block, "BatchNormalization", *block, *block, "Dense", "BatchNormalization", "ReLU", "Dense",
    ]  # fmt: skip


def test_s3_is_trained_as_s3_says() -> None:
    options = cgan.Options(variant="mlp_cgan_leaky")
    assert options.model_dump() == {
        "variant": "mlp_cgan_leaky",
        "latent_size": 100,
        "embedding_size": 10,
        "learning_rate": 2e-4,
        "beta_1": 0.9,
        "dropout": 0.3,
        "translation": 0.0,
        "augmentation": (),
        "diversity": 0.0,
        "average_decay": 0.0,
        "width": 16,
    }
    model = build(variant="mlp_cgan_leaky")
    assert [float(ops.convert_to_numpy(each.learning_rate)) for each in model.optimizers] == pytest.approx([2e-4, 2e-4])
    assert model.average is None


def test_conv_has_defaults_of_its_own_that_options_override() -> None:
    assert cgan.Options().learning_rate == 1e-3
    assert cgan.Options(learning_rate=5e-4).learning_rate == 5e-4
    assert parse_options(cgan.Options, cgan.Options().model_dump(), "generator.options") == cgan.Options()


def test_augmentation_is_added_to_the_displacement_or_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cgan.Options(augmentation=("cutout",)).translation == 0.1
    moved = parse_options(cgan.Options, {"augmentation": ["translation", "cutout"]}, "generator.options")
    assert moved.translation == 0.0
    assert parse_options(cgan.Options, moved.model_dump(mode="json"), "generator.options") == moved
    with pytest.raises(UserError, match="translation must be 0"):
        parse_options(cgan.Options, {"augmentation": ["translation"], "translation": 0.2}, "generator.options")
    seen: list[Any] = []
    images, labels, seed = noise((8, 8, 1), [1] * 4).images.astype(np.float32), tf.constant(LABELS), tf.constant([3, 4])
    for options in ({}, {"augmentation": ("flip", "cutout")}):
        model = build((8, 8, 1), **options)
        monkeypatch.setattr(model, "discriminator", lambda given, training: seen.append(given[0]))
        model._judge(images, labels, seed)
    displaced = translate(images, 0.1, seed)
    np.testing.assert_array_equal(seen[0], displaced)
    np.testing.assert_array_equal(seen[1], augment(displaced, ("flip", "cutout"), seed))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"variant": "mlp"}, r"\.variant"),
        ({"variant": "dccgan", "width": 32}, ".*width is an option of the variant conv"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=rf"generator\.options{said}"):
        parse_options(cgan.Options, options, "generator.options")


@pytest.mark.parametrize("variant", ["conv", "dccgan", "mlp_cgan_relu"])
def test_options_can_be_read_back(variant: str) -> None:
    options = cgan.Options(variant=variant)
    assert parse_options(cgan.Options, options.model_dump(), "generator.options") == options


@pytest.mark.parametrize("image_shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3), (30, 44, 1), (64, 64, 3)])
@pytest.mark.parametrize("variant", ["conv", "dccgan"])
def test_convolutions_fit_any_size(variant: str, image_shape: tuple[int, int, int]) -> None:
    model = build(image_shape, variant=variant)
    images = model.sample(tf.constant(LABELS), tf.range(4, dtype=tf.int64))
    assert images.shape == (4, *image_shape)
    assert model.discriminator([images, tf.constant(LABELS)]).shape == (4, 1)


def test_losses_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probabilities 0.8, 0.6 of real and 0.3, 0.1 of synthetic images: 0.299001 and 1.753279."""
    model = build((8, 8, 1), variant="small_mlp_cgan_leaky")
    real = tf.ones((2, 8, 8, 1))

    def judge(images: Any, labels: Any, seed: Any) -> Any:
        probabilities = tf.constant([0.8, 0.6] if images is real else [0.3, 0.1])
        return tf.math.log(probabilities / (1.0 - probabilities))[:, None]

    monkeypatch.setattr(model, "_judge", judge)
    batch, seed = Batch(real, tf.constant([0, 1])), tf.constant([0, 0])
    discriminator, generator = model.updates
    loss, metrics = model.update_loss(discriminator, batch, seed)
    assert float(loss) == pytest.approx(0.299001, abs=1e-6)
    assert {name: float(value) for name, value in metrics.items()} == {"real_accuracy": 1.0, "synthetic_accuracy": 1.0}
    loss, _ = model.update_loss(generator, batch, seed)
    assert float(loss) == pytest.approx(1.753279, abs=1e-6)


def test_generator_meets_the_images_that_the_discriminator_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build((8, 8, 1), variant="mlp_cgan_leaky")
    judged: list[Any] = []

    def judge(images: Any, labels: Any, seed: Any) -> Any:
        judged.append(images)
        return tf.zeros((2, 1))

    monkeypatch.setattr(model, "_judge", judge)
    batch = Batch(tf.ones((2, 8, 8, 1)), tf.constant([0, 1]))
    for update in model.updates:
        model.update_loss(update, batch, tf.constant([3, 4]))
    synthetic_for_discriminator, _, synthetic_for_generator = judged
    np.testing.assert_array_equal(synthetic_for_discriminator, synthetic_for_generator)


def test_mode_seeking_loss_by_hand() -> None:
    images, others = tf.zeros((2, 1, 1, 1)), tf.reshape([0.2, 0.6], (2, 1, 1, 1))
    latents, other_latents = tf.zeros((2, 2)), tf.constant([[1.0, 1.0], [2.0, 4.0]])
    # 0.2 / 1 and 0.6 / 3, mean 0.2.
    assert float(cgan.mode_seeking_loss(images, others, latents, other_latents)) == pytest.approx(1 / 0.201)


def test_torch_initialisers() -> None:
    seeds = seeded.layer_seeds(0)
    dense = seeded.dense(2000, 100, seeds)
    dense.build((None, 100))
    for weight in dense.weights:
        values = np.asarray(weight)
        assert np.abs(values).max() <= 0.1
        assert values.std() == pytest.approx(0.1 / 3**0.5, rel=0.05)
    transposed = seeded.convolution(64, 4, 2, 16, seeds, is_transposed=True)
    transposed.build((None, 8, 8, 16))
    bound = (64 * 16) ** -0.5
    for weight in transposed.weights:
        assert bound * 0.8 < np.abs(np.asarray(weight)).max() <= bound
    embedding = seeded.label_embedding(500, 10, seeds)
    embedding.build(None)
    assert np.asarray(embedding.weights[0]).std() == pytest.approx(1.0, rel=0.05)


def test_latents_of_a_seed_do_not_depend_on_their_neighbours() -> None:
    together = seeded.latents_for_seeds(tf.constant([4, 5, 2**40], tf.int64), 16).numpy()
    alone = seeded.latents_for_seeds(tf.constant([2**40], tf.int64), 16).numpy()
    np.testing.assert_array_equal(together[2], alone[0])
    many = seeded.latents_for_seeds(tf.range(500, dtype=tf.int64), 16).numpy()
    assert many.mean() == pytest.approx(0.0, abs=0.05)
    assert many.std() == pytest.approx(1.0, abs=0.05)


def test_translation_moves_whole_images() -> None:
    image = np.zeros((1, 8, 8, 1), "float32")
    image[0, 4, 4] = 1.0
    moved = translate(tf.constant(np.repeat(image, 200, 0)), 0.25, tf.constant([0, 1])).numpy()
    np.testing.assert_array_equal(moved.sum((1, 2, 3)), 1.0)
    rows, columns = np.argwhere(moved)[:, 1], np.argwhere(moved)[:, 2]
    assert set(rows) == set(columns) == {2, 3, 4, 5, 6}


def test_translation_repeats_the_edge_and_lets_gradients_through() -> None:
    images = tf.Variable(np.arange(16, dtype="float32").reshape(1, 4, 4, 1) + 1.0)
    with tf.GradientTape() as tape:
        moved = translate(images, 0.5, tf.constant([2, 3]))
        total = tf.reduce_sum(moved)
    assert (moved.numpy() >= 1.0).all()
    # Every output pixel is one input pixel, so the gradient counts how often each was taken.
    assert tf.reduce_sum(tape.gradient(total, images)).numpy() == 16.0
