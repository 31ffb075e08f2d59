"""`class_vae`: sizes and losses worked by hand, who shares what, and what is drawn between which images."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand.config import parse_options
from evenhand.errors import UserError
from evenhand.models.banks import latent_bank
from evenhand.models.generators import class_vae
from evenhand.models.networks import experts
from evenhand.models.networks.class_vae import PixelVariance
from evenhand.models.training.conditional_generator import Batch
from tests.tables import noise

COUNTS = (6, 4, 2, 1)
LABELS = [0, 1, 2, 3]
SEED = tf.constant([0, 1])


def build(
    image_shape: tuple[int, int, int] = (8, 8, 1), counts: tuple[int, ...] = COUNTS, **options: Any
) -> class_vae.ClassVAE:
    small: dict[str, Any] = {"width": 4, "latent_size": 3}
    table = noise(image_shape, counts)
    model = class_vae.build(class_vae.Options(**(small | options)), table, seed=0)
    model.prepare_to_sample(table)
    return model


def draw(model: class_vae.ClassVAE, label: int, seeds: int) -> np.ndarray:
    images = model.sample(tf.fill([seeds], label), tf.range(seeds, dtype=tf.int64))
    return np.asarray(images)


def reconstruction(model: class_vae.ClassVAE, label: int) -> np.ndarray:
    """What the images of a class become by way of the means of their latents."""
    images = noise((8, 8, 1), COUNTS).images[noise((8, 8, 1), COUNTS).labels == label] / 127.5 - 1.0
    labels = tf.fill([len(images)], label)
    experts = model._experts(labels)
    return np.asarray(
        model.decoder(model.encoder(tf.constant(images, tf.float32), labels, experts)[0], labels, experts)
    )


@pytest.mark.parametrize(
    ("image_shape", "latents", "parameters"),
    [((28, 28, 1), 16, 236_577), ((32, 32, 3), 32, 545_539), ((64, 64, 3), 64, 2_186_435)],
)
def test_parameters_of_a_class_of_its_own(image_shape: tuple[int, int, int], latents: int, parameters: int) -> None:
    options = class_vae.Options(sharing="none")
    model = class_vae.build(options, noise(image_shape, (2, 1)), seed=0)
    assert model.encoder.count_params() + model.decoder.count_params() == 2 * parameters
    assert model.decoder.sizes.latents == latents


@pytest.mark.parametrize(
    ("sharing", "experts"), [("none", [0, 1, 2, 3]), ("all_classes", [0] * 4), ("small_classes", [1, 2, 0, 0])]
)
def test_who_shares_a_vae(sharing: str, experts: list[int]) -> None:
    options = class_vae.Options(sharing=sharing, own_from=4)
    assert class_vae.class_experts(options, np.array(COUNTS)).tolist() == experts


def test_without_small_classes_nothing_is_shared() -> None:
    model = build(counts=(30, 40), sharing="small_classes")
    assert model.experts.tolist() == [0, 1]
    assert not model.decoder.affines


def test_divergences_by_hand() -> None:
    divergences = class_vae.kl_divergence(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, np.log(2.0)]]))
    assert float(tf.reduce_sum(divergences)) == pytest.approx(0.653426, abs=1e-6)
    assert float(tf.reduce_sum(class_vae.kl_divergence(tf.zeros(3), tf.zeros(3)))) == 0.0


def test_reconstruction_loss_by_hand() -> None:
    squares, labels = tf.constant([0.2, 0.6]), tf.constant([0, 1])
    np.testing.assert_allclose(PixelVariance(2, 0.1)(squares, labels, numbers=4), [1.0, 3.0], rtol=1e-6)
    learned = PixelVariance(2, "learned")
    np.testing.assert_allclose(
        learned(squares, labels, numbers=4), [1.0 + 2 * np.log(0.1), 3.0 + 2 * np.log(0.1)], rtol=1e-5
    )
    learned.log_variance.assign([np.log(0.05), 0.0])
    # The mean of the squares, 0.2 / 4, is where the loss is least.
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(learned(squares, labels, numbers=4))
    np.testing.assert_allclose(tape.gradient(loss, learned.log_variance.value), [0.0, 1.7], atol=1e-6)


def test_loss_is_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Squares 2 and 6 over 2 s^2 = 0.5; KL 0.653426 with b = 2 halfway through the warm-up."""
    model = build(pixel_variance=0.25, beta=2.0, warm_up_steps=10)
    model.step.assign(5)
    means, log_variances = tf.constant([[1.0, 0.0]] * 2), tf.constant([[0.0, np.log(2.0)]] * 2, tf.float32)
    images = np.zeros((2, 8, 8, 1), "float32")
    images[0, 0, :2], images[1, 0, :6] = 1.0, 1.0
    monkeypatch.setattr(model, "encoder", lambda images, labels, experts: (means, log_variances))
    monkeypatch.setattr(model, "decoder", lambda latents, labels, experts: tf.zeros((2, 8, 8, 1)))
    batch = Batch(tf.constant(images), tf.constant([0, 1]))
    loss, metrics = model.update_loss(model.updates[0], batch, SEED)
    assert float(loss) == pytest.approx((4.0 + 12.0) / 2 + 0.653426, abs=1e-5)
    assert float(metrics["squared_error"]) == pytest.approx(4.0 / 64)
    assert float(metrics["kl"]) == pytest.approx(0.653426, abs=1e-6)


def test_free_bits_cost_nothing() -> None:
    batch = Batch(tf.zeros((2, 8, 8, 1)), tf.constant([0, 1]))
    losses = []
    for beta in (0.0, 1.0):
        model = build(beta=beta, warm_up_steps=0, free_bits=100.0)
        losses.append(float(model.update_loss(model.updates[0], batch, SEED)[0]))
    assert losses[1] - losses[0] == pytest.approx(300.0, rel=1e-4)


def gradients(model: class_vae.ClassVAE, labels: list[int]) -> list[np.ndarray]:
    """Which rows of each weight a batch of these classes touches."""
    images = tf.random.stateless_uniform((len(labels), 8, 8, 1), (0, 0), -1.0, 1.0)
    weights = model.updates[0].trainable_weights
    with tf.GradientTape() as tape:
        loss, _ = model.update_loss(model.updates[0], Batch(images, tf.constant(labels)), SEED)
    found = tape.gradient(loss, [weight.value for weight in weights])
    return [np.abs(np.asarray(each)).reshape(len(each), -1).max(axis=1) > 0.0 for each in found]


def test_vaes_of_their_own_do_not_touch_each_other() -> None:
    model = build(sharing="none", pixel_variance="learned")
    for touched in gradients(model, [0, 0, 2]):
        assert touched.tolist() == [True, False, True, False]


def test_shared_weights_learn_from_every_class_and_class_weights_from_their_own() -> None:
    model = build(sharing="small_classes", own_from=4)
    kernel, of_classes = set(), set()
    for layer, affine in zip(model.decoder.steps, model.decoder.affines, strict=True):
        kernel |= {id(weight) for weight in layer.weights}
        of_classes |= {id(weight) for weight in affine.weights}
    # Forty coins: some images of class 0 go through its own VAE, number 1, some through the shared one, number 0.
    touched = gradients(model, [0] * 40 + [2] * 2)
    weights = model.updates[0].trainable_weights
    for weight, rows in zip(weights, touched, strict=True):
        if id(weight) in kernel:
            assert rows.tolist() == [True, True, False]
        if id(weight) in of_classes:
            assert rows.tolist() == [True, False, True, False]


def test_own_vaes_take_no_notice_of_class_weights() -> None:
    model = build(sharing="small_classes", own_from=4)
    before = [draw(model, label, 4) for label in (0, 2)]
    for affine in model.decoder.affines:
        affine.bias.assign(tf.ones_like(affine.bias.value))
    np.testing.assert_array_equal(draw(model, 0, 4), before[0])
    assert (draw(model, 2, 4) != before[1]).any()


@pytest.mark.parametrize("kind", [experts.ExpertHalving, experts.ExpertDoubling, experts.ExpertProjection])
def test_a_mixed_batch_gives_what_each_expert_gives_alone(kind: Any) -> None:
    layer, experts = kind(3, 5, 7, seed=1), [0, 2, 1, 2]
    layer.bias.assign(tf.random.stateless_normal(layer.bias.shape, (0, 1)))
    images = tf.random.stateless_normal((4, 8, 12, 5), (0, 0))
    together = layer(images, tf.constant(experts))
    alone = [layer(images[row : row + 1], tf.constant(expert)) for row, expert in enumerate(experts)]
    np.testing.assert_allclose(together, tf.concat(alone, axis=0), atol=1e-5)


def test_layers_are_the_usual_ones() -> None:
    """The same numbers as Keras' layers with kernels in its order."""
    images = tf.random.stateless_normal((2, 6, 8, 5), (0, 0))
    halving, doubling = experts.ExpertHalving(1, 5, 7, seed=1), experts.ExpertDoubling(1, 5, 7, seed=1)
    usual = keras.layers.Conv2D(7, 4, 2, "same")
    usual.build(images.shape)
    usual.set_weights([np.asarray(halving.kernel)[0].transpose(0, 2, 1, 3, 4, 5).reshape(4, 4, 5, 7), np.zeros(7)])
    np.testing.assert_allclose(halving(images, tf.constant([0, 0])), usual(images), atol=1e-5)
    usual = keras.layers.Conv2DTranspose(7, 4, 2, "same")
    usual.build(images.shape)
    kernel = np.zeros((4, 4, 7, 5), np.float32)
    for q, p, r, s in np.ndindex(2, 2, 2, 2):
        kernel[3 - 2 * q - r, 3 - 2 * p - s] = np.asarray(doubling.kernel)[0, q, p, :, r, s, :].T
    usual.set_weights([kernel, np.zeros(7)])
    np.testing.assert_allclose(doubling(images, tf.constant([0, 0])), usual(images), atol=1e-5)


@pytest.mark.parametrize("sharing", ["none", "small_classes", "all_classes"])
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_the_ends_of_a_line_are_the_two_reconstructions(sharing: str, weight: float) -> None:
    model = build(sharing=sharing, own_from=4, weights=(weight, weight))
    for label, count in ((0, 6), (2, 2)):
        images, expected = draw(model, label, 40), reconstruction(model, label)
        apart = np.abs(images[:, None] - expected[None]).max(axis=(2, 3, 4))
        np.testing.assert_allclose(apart.min(axis=1), 0.0, atol=1e-5)
        assert set(apart.argmin(axis=1)) == set(range(count))


def test_a_line_may_be_extended() -> None:
    present = tf.constant([[True, True], [True, False]])
    weights = latent_bank.line_weights(tf.constant([[0.5], [0.5]]), present, -0.25, 1.25)
    np.testing.assert_allclose(weights, [[0.5, 0.5], [1.0, 0.0]])
    weights = latent_bank.line_weights(tf.constant([[0.0], [1.0]]), present, -0.25, 1.25)
    np.testing.assert_allclose(weights, [[-0.25, 1.25], [1.0, 0.0]])


def test_convex_weights_are_uniform_on_the_simplex() -> None:
    uniform = tf.random.stateless_uniform((4000, 4), (0, 0))
    weights = np.asarray(latent_bank.simplex_weights(uniform, tf.ones((4000, 4), bool)))
    assert (weights >= 0.0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(weights.mean(axis=0), 0.25, atol=0.01)
    # A part of Dirichlet(1, 1, 1, 1) has the variance 1/4 3/4 / 5.
    np.testing.assert_allclose(weights.var(axis=0), 0.0375, atol=0.003)
    absent = latent_bank.simplex_weights(uniform[:1], tf.constant([[True, False, True, False]]))
    assert np.asarray(absent)[0, [1, 3]].tolist() == [0.0, 0.0]
    assert np.asarray(latent_bank.simplex_weights(tf.ones((1, 3)), tf.ones((1, 3), bool))).sum() == pytest.approx(1.0)


def bank(choice: Any, counts: tuple[int, ...], members: int = 3) -> latent_bank.LatentBank:
    """A bank of one latent number, 0, 1, 2, … in each class."""
    made = latent_bank.LatentBank(counts, 1, choice, members)
    places = np.concatenate([np.arange(count) for count in counts]).astype(np.float32)[:, None]
    made.fill(places, np.ones_like(places))
    return made


def choose(made: latent_bank.LatentBank, label: int, number: int = 600) -> tuple[np.ndarray, np.ndarray]:
    uniform = tf.random.stateless_uniform((number, made.members), (0, label))
    rows, present = made.choose(tf.fill([number], label), uniform)
    start, count = made.starts[label], made.counts[label]
    assert ((rows >= start) & (rows < start + count)).numpy().all()
    return np.asarray(rows) - start, np.asarray(present)


def test_every_pair_comes_alike_often() -> None:
    rows, present = choose(bank("pairs", (5, 4, 2, 1)), 1, 6000)
    assert present.all()
    pairs, often = np.unique(np.sort(rows, axis=1), axis=0, return_counts=True)
    assert pairs.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    np.testing.assert_allclose(often, 1000, rtol=0.1)


def test_the_smallest_classes() -> None:
    for choice in ("pairs", "neighbours", "convex"):
        rows, present = choose(bank(choice, (5, 2, 1)), 1)
        assert set(map(tuple, np.sort(rows[:, :2], axis=1).tolist())) == {(0, 1)}
        assert present.sum(axis=1).tolist() == [2] * 600
        rows, present = choose(bank(choice, (5, 2, 1)), 2)
        assert not rows.any()
        assert present.sum(axis=1).tolist() == [1] * 600


def test_neighbours_are_the_nearest() -> None:
    rows, _ = choose(bank("neighbours", (9, 1), members=2), 0, 2000)
    nearest = {first: set(rows[rows[:, 0] == first, 1]) for first in range(9)}
    assert nearest[0] == {1, 2}
    assert nearest[8] == {6, 7}
    assert all(nearest[place] == {place - 1, place + 1} for place in range(1, 8))


def test_nobody_comes_twice_in_a_convex_mixture() -> None:
    rows, present = choose(bank("convex", (7, 1), members=4), 0)
    assert present.all()
    assert (np.diff(np.sort(rows, axis=1), axis=1) > 0).all()
    assert set(rows.ravel()) == set(range(7))
    rows, present = choose(bank("convex", (5, 3), members=4), 1)
    assert present[:, :3].all()
    assert not present[:, 3].any()
    np.testing.assert_array_equal(np.sort(rows[:, :3], axis=1), [[0, 1, 2]] * 600)


def test_more_members_than_there_are_take_no_room() -> None:
    assert bank("neighbours", (9, 1), members=100_000).nearest.shape == (10, 8)
    assert bank("neighbours", (1, 1), members=5).nearest.shape == (2, 1)
    assert bank("convex", (9, 1), members=100_000).members == 9
    # All others alike often.
    rows, _ = choose(bank("neighbours", (5, 1), members=100_000), 0, 4000)
    often = np.unique(rows[rows[:, 0] == 2, 1], return_counts=True)
    assert often[0].tolist() == [0, 1, 3, 4]
    np.testing.assert_allclose(often[1], 200, rtol=0.3)


def test_an_only_image_is_jittered() -> None:
    images, [center] = draw(build(), 3, 30), reconstruction(build(), 3)
    assert len(np.unique(images.reshape(30, -1), axis=0)) == 30
    assert np.abs(images - center).max() > 0.0
    certain = build()
    assert certain.bank is not None
    certain.bank.deviations.assign(tf.zeros_like(certain.bank.deviations.value))
    np.testing.assert_allclose(draw(certain, 3, 2), [center, center], atol=1e-5)


@pytest.mark.parametrize("image_shape", [(8, 8, 1), (12, 12, 3), (30, 30, 1), (28, 20, 1)])
@pytest.mark.parametrize("interpolation", ["convex", "neighbours", "prior"])
def test_any_size_and_every_interpolation(image_shape: tuple[int, int, int], interpolation: str) -> None:
    model = build(image_shape, interpolation=interpolation, weights=(-0.25, 1.25))
    images = np.asarray(model.sample(tf.constant(LABELS), tf.range(4, dtype=tf.int64)))
    assert images.shape == (4, *image_shape)
    assert np.abs(images).max() <= 1.0
    alone = np.asarray(model.sample(tf.constant([2]), tf.constant([2], tf.int64)))
    np.testing.assert_allclose(images[2], alone[0], atol=1e-5)


def test_images_are_shifted_and_mirrored_only_when_asked() -> None:
    images = tf.random.stateless_uniform((40, 8, 8, 1), (0, 0), -1.0, 1.0)
    np.testing.assert_array_equal(build(shift=0.0)._augmented(images, SEED), images)
    flipped = np.asarray(build(shift=0.0, flip=True)._augmented(images, SEED))
    is_same = (flipped == images.numpy()).all(axis=(1, 2, 3))
    is_mirrored = (flipped == images.numpy()[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (is_same ^ is_mirrored).all()
    assert 8 < is_mirrored.sum() < 32
    assert (np.asarray(build(shift=0.2)._augmented(images, SEED)) != images.numpy()).any()


def test_rate_falls_along_a_cosine() -> None:
    optimizer = build(decay_steps=10, learning_rate=1e-3).optimizers[0]
    assert float(optimizer.learning_rate) == pytest.approx(1e-3)
    optimizer.iterations.assign(10)
    assert float(optimizer.learning_rate) == pytest.approx(2e-5)
    assert float(build().optimizers[0].learning_rate) == pytest.approx(class_vae.Options().learning_rate)


@pytest.mark.parametrize(
    "options",
    [
        {"pixel_variance": 0.0},
        {"pixel_variance": float("nan")},
        {"weights": [1.0, 0.0]},
        {"weights": [float("nan"), 1.0]},
        {"weights": [0.0, float("inf")]},
        {"sharing": "some"},
        {"members": 1},
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=rf"generator\.options\.{next(iter(options))}"):
        parse_options(class_vae.Options, options, "generator.options")


def test_jitter_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="jitter"):
        parse_options(class_vae.Options, {"interpolation": "prior", "jitter": 0.5}, "generator.options")


def test_a_class_without_images_is_refused() -> None:
    with pytest.raises(UserError, match="no training image of b"):
        build(counts=(3, 0, 2))
