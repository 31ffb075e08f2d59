"""`diffusion`: the papers' formulas and tables, published network sizes, and that only label and seed matter."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import lognorm

from evenhand.config import parse_options
from evenhand.errors import UserError
from evenhand.models.diffusion.edm import EDM
from evenhand.models.diffusion.flow import RectifiedFlow
from evenhand.models.diffusion.non_leaking_augmentation import augment
from evenhand.models.diffusion.schedules import WarmUp, average_decay
from evenhand.models.diffusion.solvers import heun, multistep
from evenhand.models.generators import diffusion
from evenhand.models.networks import seeded
from evenhand.models.networks.unet import GroupNormalization, UNetSize, unet
from evenhand.models.training.conditional_generator import Batch
from tests.tables import noise

SMALL: dict[str, Any] = {"width": 8, "multipliers": (1,), "attention_side": 4, "sampling_steps": 2}
COUNTS = (6, 3, 1)
SEED = tf.constant([3, 4])
TIMES = np.array([2.0, 1.0, 0.0], np.float32)
MEAN, DEVIATION = 0.3, 0.2


@cache
def build(image_shape: tuple[int, int, int] = (8, 8, 1), **options: Any) -> diffusion.Diffusion:
    """Shared between tests, which leave it as it is."""
    return diffusion.build(diffusion.Options(**{**SMALL, **options}), noise(image_shape, COUNTS), seed=0)


def awake(**options: Any) -> diffusion.Diffusion:
    """With weights that make its predictions depend on everything, as after some training."""
    model = diffusion.build(diffusion.Options(**{**SMALL, **options}), noise((8, 8, 1), COUNTS), seed=0)
    for network in (model.network, model.average):
        draw = np.random.default_rng(0)
        network.set_weights([draw.normal(0.0, 0.3, weight.shape) for weight in network.get_weights()])
    return model


def best_prediction(process: EDM) -> Any:
    """What F should give for data N(MEAN, DEVIATION^2), whose best denoiser is known."""

    def predict(inputs: Any, condition: Any) -> Any:
        level = tf.exp(4.0 * condition)
        skip, out, into, *_ = process.coefficients(level)
        state = inputs / into
        denoised = (DEVIATION**2 * state + level**2 * MEAN) / (DEVIATION**2 + level**2)
        return (denoised - skip * state) / out

    return predict


def batch(number: int = 6, labels: tuple[int, ...] = (0, 1, 2, 0, 1, 2)) -> Batch:
    return Batch(tf.random.stateless_uniform((number, 8, 8, 1), (0, 1), -1.0, 1.0), tf.constant(labels[:number]))


def size(name: str) -> UNetSize:
    return diffusion._size(diffusion.Options(size=name))


@pytest.mark.parametrize(
    ("level", "skip", "out", "into", "condition", "weight"),
    [
        (0.5, 0.5, 0.353553, 1.414214, -0.173287, 8.0),
        (1.0, 0.2, 0.447214, 0.894427, 0.0, 5.0),
        (80.0, 3.9061e-5, 0.499990, 0.0124998, 1.095507, 4.000156),
    ],
)
def test_preconditioning_is_the_papers(
    level: float, skip: float, out: float, into: float, condition: float, weight: float
) -> None:
    values = [float(value) for value in EDM().coefficients(tf.constant(level))]
    assert values == pytest.approx([skip, out, into, condition, weight], rel=1e-4, abs=1e-6)


def test_loss_weight_undoes_the_output_scale_at_every_level() -> None:
    coefficients = EDM(0.7).coefficients(tf.constant(np.geomspace(0.002, 80.0, 50), tf.float32))
    np.testing.assert_allclose(coefficients.weight * coefficients.out**2, 1.0, rtol=1e-5)


@pytest.mark.parametrize("level", [0.002, 0.3, 80.0])
def test_targets_and_slopes_are_the_papers_in_another_form(level: float) -> None:
    """In double precision: target (y - c_skip x) / c_out, slope (x - D) / s with D = c_skip x + c_out F."""
    draw = np.random.default_rng(0)
    images, standard, raw = (
        draw.uniform(-1, 1, (2, 3, 3, 1)),
        draw.normal(size=(2, 3, 3, 1)),
        draw.normal(size=(2, 3, 3, 1)),
    )
    total = level**2 + 0.25
    skip, out = 0.25 / total, level * 0.5 / total**0.5
    state = images + level * standard
    example = EDM().example(*(tf.constant(each, tf.float32) for each in (images, standard)), tf.fill([2], level))
    np.testing.assert_allclose(example.inputs, state / total**0.5, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(example.conditions, np.log(level) / 4.0, rtol=1e-4)
    np.testing.assert_allclose(example.targets, (images - skip * state) / out, rtol=1e-4, atol=1e-5)
    slope = EDM().slope(tf.constant(raw, tf.float32), tf.constant(state, tf.float32), tf.constant(level))
    np.testing.assert_allclose(slope, (state - skip * state - out * raw) / level, rtol=1e-4, atol=1e-5)


def test_network_that_gives_nothing_leaves_c_skip_x() -> None:
    """D = x - s dx/ds is c_skip x where F = 0."""
    state = tf.constant([[[[0.3], [-2.0]]]])
    slope = EDM().slope(tf.zeros_like(state), state, tf.constant(1.0))
    np.testing.assert_allclose(state - slope, 0.2 * state, rtol=1e-6)


def test_time_steps_are_the_papers() -> None:
    course = EDM().course(lambda inputs, condition: inputs, 18)
    assert course.scale == 80.0
    assert course.times.shape == (19,)
    np.testing.assert_allclose(course.times[:4], [80.0, 57.585985, 40.785574, 28.374585], rtol=1e-6)
    np.testing.assert_allclose(course.times[-4:], [0.022935, 0.007528, 0.002, 0.0], atol=1e-6)


def test_noise_levels_of_training_are_log_normal() -> None:
    ranks = np.array([0.05, 0.5, 0.95], np.float32)
    expected = lognorm(1.2, scale=np.exp(-1.2)).ppf(ranks)
    np.testing.assert_allclose(EDM().levels(tf.constant(ranks)), expected, rtol=1e-4)
    np.testing.assert_allclose(expected, [0.042, 0.301, 2.17], rtol=0.01)


def test_ranks_take_one_from_each_part() -> None:
    ranks = diffusion._spread_ranks(8, SEED).numpy()
    np.testing.assert_array_equal(np.floor(ranks * 8), np.arange(8))
    assert (diffusion._spread_ranks(8, SEED + 1).numpy() != ranks).all()


def test_rectified_flow_by_hand() -> None:
    image, standard = tf.constant([[[[0.2]], [[-0.4]]]]), tf.constant([[[[1.0]], [[0.5]]]])
    example = RectifiedFlow().example(image, standard, tf.constant([0.25]))
    np.testing.assert_allclose(np.ravel(example.inputs), [0.4, -0.175], rtol=1e-6)
    np.testing.assert_allclose(np.ravel(example.targets), [0.8, 0.9], rtol=1e-6)
    course = RectifiedFlow().course(lambda inputs, condition: inputs + condition, 4)
    np.testing.assert_allclose(course.times, [1.0, 0.75, 0.5, 0.25, 0.0])
    np.testing.assert_allclose(course.slope(tf.zeros(1), tf.constant(0.5)), [499.5])


def test_heun_is_exact_on_lines_and_skips_the_last_correction() -> None:
    """dx/dt = 2 t from 2: trapezia are exact, but the last step of width 1 is Euler's, 2 * 1 too much down to 0."""
    end = heun(lambda state, time: tf.fill(tf.shape(state), 2.0 * time), tf.constant([4.0]), TIMES)
    assert end.numpy() == pytest.approx([4.0 - 3.0 - 2.0])


def test_multistep_goes_on_by_the_last_change_of_slope() -> None:
    """dx/dt = 2 t from 2 by steps of 1, 0.5 and 0.5: 4, then 2 - 0.5, then 1 - 0.5, as wide as the steps."""
    times = np.array([2.0, 1.0, 0.5, 0.0], np.float32)
    end = multistep(lambda state, time: tf.fill(tf.shape(state), 2.0 * time), tf.constant([4.0]), times)
    assert end.numpy() == pytest.approx([4.0 - 4.0 - 0.5 * 1.5 - 0.5 * 0.5])


@pytest.mark.parametrize(("steps", "error"), [(18, 0.08), (100, 0.01)])
def test_heun_draws_the_law_of_gaussian_data(steps: int, error: float) -> None:
    process, standard = EDM(), np.linspace(-2.0, 2.0, 9, dtype=np.float32)[:, None, None, None]
    course = process.course(best_prediction(process), steps)
    images = heun(course.slope, tf.constant(course.scale * standard), course.times)
    np.testing.assert_allclose(images, MEAN + DEVIATION * standard, atol=2 * error * DEVIATION)


@pytest.mark.parametrize(("steps", "error"), [(18, 0.025), (60, 0.005)])
def test_multistep_draws_the_law_of_gaussian_data(steps: int, error: float) -> None:
    process, standard = EDM(), np.linspace(-2.0, 2.0, 9, dtype=np.float32)[:, None, None, None]
    course = process.straight_course(best_prediction(process), steps)
    images = multistep(course.slope, tf.constant(course.scale * standard), course.times)
    np.testing.assert_allclose(images, MEAN + DEVIATION * standard, atol=2 * error * DEVIATION)


def test_parameters_are_those_of_the_paper() -> None:
    seeds = seeded.layer_seeds(0)
    assert unet((32, 32, 3), 10, size("paper"), seeds, is_augmented=True).count_params() == 55_735_299


def test_small_has_an_eighth_of_the_papers_parameters() -> None:
    model = unet((28, 28, 1), 10, size("small"), seeded.layer_seeds(0), is_augmented=True)
    assert model.count_params() == 6_988_865
    places = {layer.input.shape[1] for layer in model.layers if type(layer).__name__ == "Attention"}
    assert places == {14 * 14, 7 * 7}


def test_untrained_network_gives_almost_nothing() -> None:
    model = build()
    raw = model.network([tf.random.stateless_normal((4, 8, 8, 1), (0, 1)), tf.zeros(4), tf.eye(4, 3)])
    assert 0.0 < np.abs(raw).max() < 1e-3
    # |F|^2 = 0, so the loss is the mean square of the targets: 1 where pixels have mean square 0.25.
    images = 0.5 * tf.sign(tf.random.stateless_normal((64, 8, 8, 1), (1, 1)))
    loss, _ = model.update_loss(model.updates[0], Batch(images, tf.zeros(64, tf.int32)), SEED)
    assert float(loss) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("image_shape", [(28, 28, 1), (30, 45, 3)])
@pytest.mark.parametrize(("patch", "is_light"), [(1, False), (2, True)])
def test_network_fits_any_size(image_shape: tuple[int, int, int], patch: int, is_light: bool) -> None:
    shape = UNetSize(8, (1, 2), 1, patch, 8, 0.1, has_resampling_blocks=not is_light, is_modulating=is_light)
    network = unet(image_shape, 3, shape, seeded.layer_seeds(0), is_augmented=False)
    assert network.output.shape == (None, *image_shape)


def test_group_normalisation_is_that_of_keras() -> None:
    maps = tf.random.stateless_normal((3, 5, 4, 24), (0, 0), 2.0, 3.0)
    own, theirs = GroupNormalization(), keras.layers.GroupNormalization(6, epsilon=1e-6)
    np.testing.assert_allclose(own(maps), theirs(maps), atol=1e-4)
    assert own.groups == 6


def test_labels_are_dropped_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = build(label_dropout=0.3), []
    monkeypatch.setattr(model, "_predicted", lambda example, classes, _: seen.append(classes) or example.targets)
    for number in range(20):
        model.update_loss(model.updates[0], batch(), tf.constant([0, number]))
    classes = np.stack(seen)
    kept = classes.sum(-1)
    assert set(np.unique(kept)) == {0.0, 1.0}
    assert kept.mean() == pytest.approx(0.7, abs=0.12)
    assert (kept.min(1) < kept.max(1)).any()
    np.testing.assert_array_equal(classes.argmax(-1)[kept > 0], np.tile([0, 1, 2, 0, 1, 2], (20, 1))[kept > 0])


def test_guidance_of_one_and_nought() -> None:
    conditional, unconditional = tf.constant([1.0, -2.0]), tf.constant([0.5, 3.0])
    np.testing.assert_array_equal(diffusion.guided(conditional, unconditional, 1.0), conditional)
    np.testing.assert_array_equal(diffusion.guided(conditional, unconditional, 0.0), unconditional)
    np.testing.assert_array_equal(diffusion.guided(conditional, unconditional, 2.0), [1.5, -7.0])


def test_guided_images_run_from_any_class_to_beyond_the_class() -> None:
    model = awake(label_dropout=0.1)
    inputs, classes = tf.random.stateless_normal((1, 8, 8, 1), (0, 2)), tf.eye(2, 3)

    def draw(guidance: float) -> Any:
        model.options = model.options.model_copy(update={"guidance": guidance})
        return model._drawn(tf.tile(inputs, (2, 1, 1, 1)), tf.constant(0.1), classes).numpy()

    of_any_class, plain, strong = draw(0.0), draw(1.0), draw(3.0)
    np.testing.assert_allclose(of_any_class[0], of_any_class[1], atol=1e-5)
    assert np.abs(plain[0] - plain[1]).max() > 1e-3
    np.testing.assert_allclose(strong, of_any_class + 3.0 * (plain - of_any_class), atol=1e-3)


def test_class_balancing_loss_by_hand() -> None:
    raw, other = (tf.reshape(tf.constant(values), (1, 1, 2, 1)) for values in ([0.5, -0.2], [0.1, 0.2]))
    with tf.GradientTape() as tape:
        tape.watch([raw, other])
        loss = diffusion.class_balancing_loss(raw, other, tf.constant([0.5]))
    assert float(loss) == pytest.approx(0.08 + 0.02)
    by_raw, by_other = tape.gradient(loss, [raw, other])
    # r (raw - other) per pixel, mean of two, through the first term alone; the second gives a quarter of it back.
    np.testing.assert_allclose(np.ravel(by_raw), [0.2, -0.2], rtol=1e-5)
    np.testing.assert_allclose(np.ravel(by_other), [-0.05, 0.05], rtol=1e-5)


def test_class_balancing_takes_other_labels_from_the_training_labels() -> None:
    other = build(class_balancing=2.0)._other_classes(2000, SEED).numpy()
    np.testing.assert_allclose(other.mean(0), [0.6, 0.3, 0.1], atol=0.04)


@pytest.mark.parametrize(("label_dropout", "is_balanced"), [(0.0, True), (0.999, False)])
def test_class_balancing_spares_dropped_labels(
    monkeypatch: pytest.MonkeyPatch, label_dropout: float, is_balanced: bool
) -> None:
    """Predictions miss the target by 0 with the own label, hidden or not, and by 1 with another."""
    model = build(class_balancing=2.0, label_dropout=label_dropout)
    misses = iter([0.0, 1.0])
    monkeypatch.setattr(model, "_predicted", lambda example, *_: example.targets + next(misses))
    loss, _ = model.update_loss(model.updates[0], batch(), SEED)
    ranks = diffusion._spread_ranks(6, diffusion._fold(SEED, diffusion._RANKS)).numpy()
    assert float(loss) == pytest.approx(is_balanced * 2.0 * 1.25 * ranks.mean(), rel=1e-5)


@pytest.mark.parametrize(("batch_size", "decay"), [(512, 0.999290), (128, 0.999823)])
def test_average_has_its_half_life(batch_size: int, decay: float) -> None:
    assert float(average_decay(batch_size, 10**8, 500_000, 0.05)) == pytest.approx(decay, abs=1e-6)


def test_average_starts_as_a_copy_and_ramps_up() -> None:
    assert float(average_decay(64, 0, 500_000, 0.05)) == 0.0
    # After 1280 images the half-life is 64 of them.
    assert float(average_decay(64, 1280, 500_000, 0.05)) == pytest.approx(0.5)


def test_average_follows_the_network() -> None:
    model = diffusion.build(diffusion.Options(**SMALL, ramp_up=1.0), noise((8, 8, 1), COUNTS), seed=0)
    model.prepare()
    model.run_eagerly = True
    images, labels = 127.5 * (batch().images + 1.0), batch().labels
    weights = []
    for _ in range(2):
        model.fit(tf.data.Dataset.from_tensors((images, labels)), verbose=0)
        weights.append([weight.numpy() for weight in model.network.weights])
    # A copy after the first step; in the second, after 6 images of which 6 are new, half of each.
    for average, one, two in zip(model.average.weights, *weights, strict=True):
        np.testing.assert_allclose(average, (one + two) / 2, atol=1e-6)


def test_learning_rate_warms_up() -> None:
    schedule = WarmUp(0.4, 3)
    assert [float(schedule(step)) for step in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])


def test_image_depends_on_its_label_and_seed_alone() -> None:
    model = awake()
    together = model.sample(tf.constant([0, 2, 1]), tf.constant([4, 2**40, 6], tf.int64)).numpy()
    alone = model.sample(tf.constant([2]), tf.constant([2**40], tf.int64)).numpy()
    np.testing.assert_allclose(together[1], alone[0], atol=1e-4)
    assert np.abs(together).max() <= 1.0


def test_flow_trains_and_draws() -> None:
    model = awake(objective="flow")
    loss, _ = model.update_loss(model.updates[0], batch(), SEED)
    assert np.isfinite(float(loss))
    assert model.sample(tf.constant([0, 1]), tf.constant([0, 1], tf.int64)).shape == (2, 8, 8, 1)


def test_augmentation_leaves_images_alone_where_it_does_nothing() -> None:
    images = batch().images
    changed, described = augment(images, 0.0, SEED, has_flips=False)
    np.testing.assert_allclose(changed, images, atol=1e-6)
    np.testing.assert_array_equal(described, np.zeros((6, 9)))


def test_augmentation_tells_what_it_did() -> None:
    images = tf.random.stateless_uniform((400, 9, 9, 1), (0, 1))
    changed, described = augment(images, 0.0, SEED, has_flips=True)
    mirrored = described.numpy()[:, 0] == 1.0
    assert mirrored.mean() == pytest.approx(0.5, abs=0.1)
    np.testing.assert_array_equal(described[:, 1:], 0.0)
    np.testing.assert_allclose(changed, np.where(mirrored[:, None, None, None], images[:, :, ::-1], images), atol=1e-5)
    _, described = augment(images, 0.3, SEED, has_flips=False)
    np.testing.assert_array_equal(described[:, :2], 0.0)
    changes = [described[:, 2:3], described[:, 3:5], described[:, 5:7], described[:, 7:]]
    for change in changes:
        assert (np.abs(change) > 0).any(axis=1).mean() == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize("column", [2, 3, 5, 7])
def test_augmentation_moves_a_blob_as_it_says(column: int) -> None:
    """The mean place of a blob right of the middle, when only one kind of change took place."""
    rows, columns = np.mgrid[:33, :33] - 16.0
    blob = np.exp(-((rows - 1.0) ** 2 + (columns - 4.0) ** 2) / 2.0).astype(np.float32)
    changed, described = augment(
        tf.constant(np.tile(blob[None, :, :, None], (600, 1, 1, 1))), 0.3, SEED, has_flips=False
    )
    others = {2: [3, 4, 5, 6, 7, 8], 3: [2, 5, 6, 7, 8], 5: [2, 3, 4, 7, 8], 7: [2, 3, 4, 5, 6]}[column]
    alone = (described.numpy()[:, others] == 0.0).all(1) & (described.numpy()[:, column] != 0.0)
    assert alone.sum() >= 10
    mass = changed.numpy()[alone, :, :, 0]
    mass /= mass.sum((1, 2), keepdims=True)
    place = np.stack([(mass * rows).sum((1, 2)), (mass * columns).sum((1, 2))], -1)
    told = described.numpy()[alone].astype(float)
    start = np.array([1.0, 4.0])
    if column == 2:
        expected = start * 2.0 ** (0.2 * told[:, 2:3])
    elif column == 3:
        cosine, sine = told[:, 3] + 1.0, told[:, 4]
        expected = np.stack([cosine * start[0] - sine * start[1], sine * start[0] + cosine * start[1]], -1)
    elif column == 5:
        amount = np.hypot(told[:, 5], told[:, 6])
        angle = np.arctan2(told[:, 6], told[:, 5]) / 2.0
        along = np.stack([np.cos(angle), np.sin(angle)], -1)
        across = np.stack([-along[:, 1], along[:, 0]], -1)
        stretch = 2.0 ** (0.2 * amount)[:, None]
        expected = stretch * (along @ start)[:, None] * along + (across @ start)[:, None] * across / stretch
    else:
        expected = start + 33 * 0.125 * told[:, 7:9]
    inside = (np.abs(expected) < 10.0).all(1)
    np.testing.assert_allclose(place[inside], expected[inside], atol=0.1)


def test_network_reads_the_description_and_draws_unchanged_images() -> None:
    model = awake(augmentation=0.5)
    inputs = [tf.ones((1, 8, 8, 1)), tf.zeros(1), tf.eye(1, 3)]
    assert (model.network([*inputs, tf.zeros((1, 9))]) != model.network([*inputs, tf.ones((1, 9))])).numpy().any()
    assert model.sample(tf.constant([0]), tf.constant([0], tf.int64)).shape == (1, 8, 8, 1)


def test_sizes_have_defaults_of_their_own_that_options_override() -> None:
    assert diffusion.Options(size="paper").width == 128
    assert diffusion.Options(size="paper", width=64).multipliers == (2, 2, 2)
    options = diffusion.Options(size="small", objective="flow")
    assert parse_options(diffusion.Options, options.model_dump(), "generator.options") == options


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"size": "huge"}, "size"),
        ({"guidance": 2.0}, "guidance"),
        ({"multipliers": (0,)}, "multipliers"),
        ({"flips": True}, "flips"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError, match=rf"generator\.options\.{where}"):
        parse_options(diffusion.Options, options, "generator.options")
