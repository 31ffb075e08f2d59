"""`polarity_gan`: every sample in the hull of its class, and S4's laws and losses worked by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import linprog

from evenhand.config import Generator, parse_options
from evenhand.errors import UserError
from evenhand.models.banks import class_bank
from evenhand.models.banks.class_bank import ClassBank
from evenhand.models.banks.drawn_labels import draw_labels
from evenhand.models.generators import _polarity_losses, polarity_gan
from evenhand.models.networks import convex_generator
from evenhand.models.networks import polarity as polarity_networks
from evenhand.models.networks.seeded import layer_seeds
from evenhand.models.train_generator import GeneratorRun, train_generator
from evenhand.models.training.conditional_generator import Batch
from tests.tables import noise

COUNTS = (6, 3, 1)
TINY: dict[str, Any] = {"width": 4, "code_size": 6, "latent_size": 4, "critic_steps": 1, "warm_up_steps": 1}


def build(counts: tuple[int, ...] = COUNTS, seed: int = 0, **options: Any) -> polarity_gan.PolarityGAN:
    table = noise((8, 8, 1), counts)
    model = polarity_gan.build(polarity_gan.Options(**{**TINY, **options}), table, seed=seed)
    model.prepare_to_sample(table)
    return model


def sharpen(model: polarity_gan.PolarityGAN) -> None:
    """Weights that differ much, as after a long training; at first all are nearly alike."""
    kernel = model.generator.weighting.kernel
    kernel.assign(kernel * 20.0)


def distance_to_hull(point: NDArray[np.float32], corners: NDArray[np.float32]) -> float:
    """The least r for which a convex combination of the corners is within r of the point in every coordinate."""
    corners, point = corners.astype(np.float64), point.astype(np.float64)
    number, size = corners.shape
    reach = -np.ones((size, 1))
    upper = np.block([[corners.T, reach], [-corners.T, reach]])
    result = linprog(
        np.append(np.zeros(number), 1.0),
        A_ub=upper,
        b_ub=np.concatenate([point, -point]),
        A_eq=np.append(np.ones(number), 0.0)[None],
        b_eq=[1.0],
    )
    assert result.success
    return float(result.fun)


@pytest.mark.parametrize("space", ["pixel", "code"])
@pytest.mark.parametrize("choice", ["nearest", "random"])
def test_samples_lie_in_the_hull_of_their_class(space: str, choice: str) -> None:
    model = build(space=space, choice=choice, members=4)
    sharpen(model)
    labels = np.repeat([0, 1, 2], 3)
    points = model.convex_points(tf.constant(labels, tf.int32), tf.range(9, dtype=tf.int64)).numpy().reshape(9, -1)
    for point, label in zip(points, labels, strict=True):
        assert distance_to_hull(point, model.generator.bank.of_class(label)) < 1e-6
    # The programme can tell: they are not in the hull of another class.
    assert distance_to_hull(points[0], model.generator.bank.of_class(1)) > 0.01


def test_samples_show_the_points() -> None:
    labels, seeds = tf.constant([0, 1, 2]), tf.constant([3, 4, 5], tf.int64)
    model = build(space="pixel")
    np.testing.assert_array_equal(model.sample(labels, seeds), model.convex_points(labels, seeds))
    model = build(space="code")
    decoded = model.decoder(model.convex_points(labels, seeds))
    np.testing.assert_array_equal(model.sample(labels, seeds), decoded)


@pytest.mark.parametrize("entropy_floor", [0.0, 0.3])
def test_only_image_of_a_class_is_copied_exactly(entropy_floor: float) -> None:
    table = noise((8, 8, 1), COUNTS)
    model = build(space="pixel", entropy_floor=entropy_floor)
    images = model.sample(tf.constant([2, 2]), tf.constant([0, 1], tf.int64)).numpy()
    for image in images:
        np.testing.assert_array_equal(image, table.images[-1].astype(np.float32) / np.float32(127.5) - np.float32(1.0))


def test_corners_are_the_images_or_their_codes() -> None:
    table = noise((8, 8, 1), COUNTS)
    own = table.images[6:9].astype(np.float32) / 127.5 - 1.0
    np.testing.assert_allclose(build(space="pixel").generator.bank.of_class(1), own.reshape(3, -1), atol=1e-6)
    model = build(space="code")
    np.testing.assert_allclose(model.generator.bank.of_class(1), model.encoder(own), atol=1e-6)


def test_refinement_leaves_the_hull_by_no_more_than_it_says() -> None:
    model = build(space="pixel", refinement=0.1)
    labels, seeds = tf.constant([0, 1, 2]), tf.constant([3, 4, 5], tf.int64)
    points = model.convex_points(labels, seeds).numpy()
    np.testing.assert_array_equal(model.sample(labels, seeds), points)  # The network starts with no change.
    assert model.refiner is not None
    kernel = model.refiner.trainable_weights[-2]
    kernel.assign(tf.random.stateless_normal(kernel.shape, (0, 1)))
    changed = model.sample(labels, seeds).numpy()
    assert (changed != points).any()
    assert np.abs(changed - points).max() <= 0.1 + 1e-6
    assert build().refiner is None
    assert [update.name for update in model.updates][-1] == "refiner"


def test_refined_images_are_what_all_of_gs_opponents_see(monkeypatch: pytest.MonkeyPatch) -> None:
    model, calls = build(refinement=0.3, warm_up_steps=0), []
    refined = model._refined
    monkeypatch.setattr(model, "_refined", lambda points: calls.append(1) or refined(points))
    batch, seen = Batch(tf.zeros((4, *model.image_shape)), tf.constant([0, 1, 0, 1])), {}
    for update in model.updates:
        calls.clear()
        model.update_loss(update, batch, tf.constant([0, 0]))
        seen[update.name] = len(calls)
    assert seen.pop("extractor") == 0
    assert seen and set(seen.values()) == {1}


def test_line_6_and_line_9() -> None:
    counts = np.array([50, 30, 15, 5])
    shares = _polarity_losses.judged_shares
    np.testing.assert_allclose(shares(counts, "skip"), [0.0, 0.2, 0.35, 0.45])
    np.testing.assert_allclose(shares(counts, "include"), [0.25, 0.15, 0.2625, 0.3375])
    np.testing.assert_allclose(shares(np.array([7, 7]), "skip"), [0.5, 0.5])
    np.testing.assert_allclose(shares(np.array([7, 7, 1]), "include"), [1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(_polarity_losses.generated_shares(counts, "skip"), [0.0, 1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(_polarity_losses.generated_shares(counts, "include"), [0.25] * 4)


def test_labels_are_drawn_by_their_law() -> None:
    shares = np.array([0.0, 0.2, 0.35, 0.45, 0.0])
    labels = draw_labels(shares, 20_000, tf.constant([0, 1])).numpy()
    np.testing.assert_allclose(np.bincount(labels, minlength=5) / 20_000, shares, atol=0.015)
    assert labels.dtype == np.int32
    assert (draw_labels(np.array([0.0, 1.0]), 50, tf.constant([0, 1])).numpy() == 1).all()


def test_both_sides_of_the_critic_weigh_classes_alike() -> None:
    one_hot = tf.one_hot([0, 1, 1, 1], 3)
    # Class 2 is not there, so classes 0 and 1 have 0.2 and 0.6 of 0.8, that is 1 and 3 of the batch's 4.
    np.testing.assert_allclose(_polarity_losses.pair_weights(one_hot, np.array([0.2, 0.6, 0.2])), [1, 1, 1, 1])
    np.testing.assert_allclose(_polarity_losses.pair_weights(one_hot, np.array([0.5, 0.5, 0.0])), [2] + [2 / 3] * 3)
    np.testing.assert_allclose(_polarity_losses.pair_weights(one_hot, np.array([0.0, 0.0, 1.0])), [0] * 4)


def test_losses_of_s4_by_hand() -> None:
    losses = _polarity_losses.Wasserstein()
    half = tf.zeros((1, 2))
    assert float(_polarity_losses.complement(half, tf.constant([0]))) == pytest.approx(0.693147, abs=1e-6)
    thirds = tf.math.log([[0.7, 0.2, 0.1]])
    assert float(losses.hardness(thirds, tf.constant([0]))) == pytest.approx(-np.log(0.3), abs=1e-6)
    assert float(losses.recognition(thirds, tf.constant([0]))) == pytest.approx(-np.log(0.7), abs=1e-6)
    assert float(losses.deception(tf.constant([[1.0], [2.0]]))) == -1.5


def test_losses_of_gamo_by_hand() -> None:
    losses = _polarity_losses.LeastSquares()
    thirds, first = tf.math.log([[0.7, 0.2, 0.1]]), tf.constant([0])
    assert float(losses.recognition(thirds, first)) == pytest.approx((0.09 + 0.04 + 0.01) / 3)
    assert float(losses.hardness(thirds, first)) == pytest.approx((0.49 + 0.64 + 0.81) / 3)
    assert float(losses.deception(tf.zeros((1, 1)))) == 0.25


@pytest.mark.parametrize("name", ["Wasserstein", "LeastSquares"])
def test_judge_raises_real_and_lowers_synthetic_images(name: str) -> None:
    """Our reading 1 of line 7, by the slope of the loss along each score."""
    scores = tf.Variable([[0.3], [-0.2]])

    def judge(inputs: Any, training: bool) -> Any:
        features, _ = inputs
        return tf.matmul(features, scores)

    one_hot = tf.constant([[1.0, 0.0]])
    judged = _polarity_losses.Judged(tf.constant([[1.0, 0.0]]), one_hot, tf.constant([[0.0, 1.0]]), one_hot)
    with tf.GradientTape() as tape:
        loss, metrics = getattr(_polarity_losses, name)().judgement(judge, judged, np.array([1.0, 0.0]), [0, 1])
    real_slope, synthetic_slope = tape.gradient(loss, scores).numpy()[:, 0]
    assert real_slope < 0 < synthetic_slope
    if name == "Wasserstein":
        slope = np.hypot(0.3, 0.2)
        assert float(metrics["wasserstein_distance"]) == pytest.approx(0.5)
        assert float(loss) == pytest.approx(10.0 * (slope - 1.0) ** 2 - 0.5, rel=1e-5)
    else:
        assert metrics == {"real_accuracy": 1.0, "synthetic_accuracy": 1.0}


def test_weights_of_a_mixture() -> None:
    layer = convex_generator.ConvexWeights(5, 1, entropy_floor=0.0, seed=0)
    layer.kernel.assign([[0.0], [np.log(2.0)], [np.log(5.0)], [9.0], [9.0]])
    rows, present = tf.constant([[0, 1, 2, 3]]), tf.constant([[True, True, True, False]])
    weights = layer(tf.ones((1, 1)), rows, present)
    np.testing.assert_allclose(weights, [[0.125, 0.25, 0.625, 0.0]], atol=1e-6)
    assert float(convex_generator.entropy(weights)[0]) == pytest.approx(0.900256, abs=1e-6)
    layer.bias.assign([100.0, 0.0, 0.0, 0.0, 0.0])
    assert float(layer(tf.ones((1, 1)), rows, present)[0, 0]) == 1.0


def test_entropy_floor_keeps_weights_from_a_copy() -> None:
    layer = convex_generator.ConvexWeights(4, 1, entropy_floor=0.4, seed=0)
    layer.bias.assign([100.0, 0.0, 0.0, 0.0])
    weights = layer(tf.ones((1, 1)), tf.constant([[0, 1, 2, 3]]), tf.fill((1, 4), True))
    np.testing.assert_allclose(weights, [[0.7, 0.1, 0.1, 0.1]], atol=1e-6)
    assert float(convex_generator.entropy(weights)[0]) >= 0.4 * np.log(4)


def test_a_large_class_gives_other_images_each_time_and_none_twice() -> None:
    bank = ClassBank((11, 7, 2), 1, 5, "random")
    number = 4000
    labels = tf.repeat([0, 1, 2], number)
    uniform = tf.random.stateless_uniform((3 * number, bank.uniform_size), (0, 1))
    rows, present = (each.numpy() for each in bank.choose(labels, uniform))
    assert present[: 2 * number].all()
    np.testing.assert_array_equal(present[2 * number :], [[True, True, False, False, False]] * number)
    for label, (start, count) in enumerate([(0, 11), (11, 7), (18, 2)]):
        own = rows[label * number : (label + 1) * number]
        assert own.min() == start
        assert own.max() == start + count - 1
        distinct = min(count, 5)
        assert all(len(set(row[:distinct])) == distinct for row in own)
        shares = np.bincount(own[:, :distinct].ravel() - start) / own[:, :distinct].size
        np.testing.assert_allclose(shares, 1 / count, rtol=0.1)


def test_uniform_numbers_of_1_stay_within_the_class() -> None:
    for choice in ("random", "nearest"):
        bank = ClassBank((4, 3), 1, 2, choice)
        bank.fill(np.arange(7.0, dtype=np.float32)[:, None])
        rows, _ = bank.choose(tf.constant([0]), tf.ones((1, bank.uniform_size)))
        assert rows.numpy().max() < 4


def test_nearest_images_of_the_class() -> None:
    bank = ClassBank((4, 3, 1), 1, 3, "nearest")
    bank.fill(np.array([0.0, 10.0, 1.0, 4.0, 0.5, 0.6, 0.9, 7.0], np.float32)[:, None])
    expected = [[0, 2, 3], [1, 3, 2], [2, 0, 3], [3, 2, 0], [4, 5, 6], [5, 4, 6], [6, 5, 4], [7, 7, 7]]
    np.testing.assert_array_equal(bank.neighbours, expected)
    vectors = np.random.default_rng(0).normal(size=(1100, 3)).astype(np.float32)
    distances = ((vectors[:, None] - vectors[None]) ** 2).sum(-1)
    np.testing.assert_array_equal(class_bank.nearest(vectors, 4), np.argsort(distances, axis=1, kind="stable")[:, :4])


def test_no_gradient_of_g_where_c_and_d_learn() -> None:
    batch = Batch(tf.zeros((3, 8, 8, 1)), tf.constant([0, 1, 2]))
    for loss in ("wasserstein", "ls"):
        model = build(loss=loss)
        weights = [weight.value for part in model.generator.trained for weight in part.trainable_weights]
        reached = {}
        for update in model.updates:
            with tf.GradientTape() as tape:
                value, _ = model.update_loss(update, batch, tf.constant([0, 1]))
            reached[update.name] = any(gradient is not None for gradient in tape.gradient(value, weights))
        judge = "discriminator" if loss == "ls" else "critic"
        assert reached == {
            "autoencoder": False,
            "extractor": False,
            "classifier": False,
            judge: False,
            "generator_against_classifier": True,
            "generator": True,
        }


def test_skipped_majority_is_never_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(majority="skip", loss="ls")
    seen: list[NDArray[np.int32]] = []
    mix = model._mix

    def watched(noise: Any, labels: Any, *, training: bool) -> Any:
        seen.append(labels.numpy())
        return mix(noise, labels, training=training)

    monkeypatch.setattr(model, "_mix", watched)
    batch = Batch(tf.zeros((40, 8, 8, 1)), tf.zeros(40, tf.int32))
    for update in model.updates:
        model.update_loss(update, batch, tf.constant([0, 1]))
    assert len(seen) == 4
    assert {int(label) for labels in seen for label in labels} == {1, 2}


def test_parameters_are_those_of_gamo() -> None:
    trainable = lambda part: sum(weight.value.shape.num_elements() for weight in part.trainable_weights)  # noqa: E731
    assert trainable(polarity_networks.mapping(10, 100, layer_seeds(0))) == 45_504
    assert trainable(polarity_networks.judge(784, 10, layer_seeds(0))) == 236_545
    assert trainable(polarity_networks.classifier(784, 10, layer_seeds(0))) == 235_146
    assert trainable(convex_generator.ConvexWeights(50, polarity_networks.MAPPED, 0.0, 0)) == 65 * 50
    # Two convolutions of 5x5 and a dense layer on 7x7x32.
    assert trainable(polarity_networks.image_encoder((28, 28, 1), 32, 512, layer_seeds(0))) == 829_792


def test_order_of_algorithm_1() -> None:
    model = build(warm_up_steps=7, critic_steps=5)
    assert [(each.name, each.start, each.stop, each.repeat) for each in model.updates] == [
        ("autoencoder", 0, 7, 1),
        ("extractor", 7, None, 1),
        ("classifier", 7, None, 1),
        ("critic", 7, None, 5),
        ("generator_against_classifier", 7, None, 1),
        ("generator", 7, None, 1),
    ]
    assert list(model.milestones()) == [7]


def train(steps: int, **options: Any) -> GeneratorRun:
    settings = {**TINY, "warm_up_steps": 2, **options}
    config = Generator(name="polarity_gan", steps=steps, batch_size=4, options=settings)
    return train_generator(noise((8, 8, 1), COUNTS), config)


def test_extractor_starts_as_the_encoder() -> None:
    model = build(space="pixel")
    (start,) = model.milestones().values()
    start(noise((8, 8, 1), COUNTS))
    for one, two in zip(model.encoder.get_weights(), model.extractor.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_codes_rest_after_the_warm_up() -> None:
    table = noise((8, 8, 1), COUNTS)
    run = train(4, space="code")
    model = run.model
    corners = model.generator.bank.of_class(0)
    np.testing.assert_allclose(corners, model.encoder(table.images[:6].astype(np.float32) / 127.5 - 1.0), atol=1e-6)
    assert 0.0 < run.history[-1]["max_weight"] <= 1.0
    model.encoder.set_weights([0.0 * weight for weight in model.encoder.get_weights()])
    model.prepare_to_sample(table)
    np.testing.assert_array_equal(corners, model.generator.bank.of_class(0))


def test_mixtures_are_exact_in_mixed_precision() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(space="pixel", members=4)
    finally:
        keras.config.set_dtype_policy("float32")
    sharpen(model)
    points = model((tf.constant([0, 1, 2]), tf.constant([3, 4, 5], tf.int64))).numpy().reshape(3, -1)
    for label, point in enumerate(points):
        assert distance_to_hull(point, model.generator.bank.of_class(label)) < 1e-6
    np.testing.assert_array_equal(points[2], model.generator.bank.of_class(2)[0])


def test_bank_is_bounded() -> None:
    table = noise((8, 8, 1), (20, 3))
    rows = class_bank.bank_rows(table, 5, seed=1)
    assert len(rows) == 8
    np.testing.assert_array_equal(table.labels[rows], [0] * 5 + [1] * 3)
    assert len(set(rows)) == 8
    assert build((20, 3), bank_images=5).generator.bank.vectors.shape == (8, 64)


def test_class_without_images_is_refused() -> None:
    with pytest.raises(UserError, match="none of 'b'"):
        build((3, 0, 2))


@pytest.mark.parametrize(
    "options", [{"space": "code", "augmentation": ["cutout"]}, {"space": "code", "warm_up_steps": 0}, {"members": 0}]
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"generator\.options"):
        parse_options(polarity_gan.Options, options, "generator.options")
