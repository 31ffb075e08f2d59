"""Adaptive augmentation: how its probability moves, and what its changes do."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from evenhand.models.training.adaptive_augmentation import AdaptiveAugmentation, recolor, warp

SEED = tf.constant([3, 4])


def images(number: int = 6, height: int = 16, width: int = 12, channels: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-1.0, 1.0, (number, height, width, channels)).astype(np.float32)


def chosen(rows: int, row: int | None, number: int) -> tf.Tensor:
    """All images take change `row`, or all changes if it is None."""
    return tf.constant([[float(row is None or row == index)] * number for index in range(rows)])


def augmentation(probability: float = 0.0, target: float = 0.6) -> AdaptiveAugmentation:
    built = AdaptiveAugmentation(target, 1000)
    built.probability.assign(probability)
    return built


def test_probability_moves_in_every_fourth_batch_by_its_images() -> None:
    built = augmentation()
    confident = tf.constant([2.0] * 9 + [-1.0])  # r = 0.8
    for expected in (0.0, 0.0, 0.0, 0.04, 0.04, 0.04, 0.04, 0.08):
        built.watch(confident)
        assert float(built.probability) == pytest.approx(expected)


def test_probability_falls_below_the_target_but_not_below_zero() -> None:
    built = augmentation(0.05)
    unsure = tf.constant([[2.0]] * 7 + [[-1.0]] * 3)  # r = 0.4
    seen = []
    for _ in range(8):
        built.watch(unsure)
        seen.append(float(built.probability))
    assert seen[3] == pytest.approx(0.01)
    assert seen[7] == 0.0


def test_probability_rises_to_one_at_most_and_stays_when_on_target() -> None:
    built = augmentation(0.98)
    for _ in range(4):
        built.watch(tf.ones(10))
    assert float(built.probability) == 1.0
    # Four batches are judged together: 1, 1, 0 and 0 make 0.5.
    even = augmentation(0.5, target=0.5)
    for logits in (tf.ones(2), tf.ones(2), tf.constant([1.0, -1.0]), tf.constant([1.0, -1.0])):
        even.watch(logits)
    assert float(even.probability) == 0.5


def test_state_is_no_part_of_what_is_trained() -> None:
    built = augmentation()
    assert not built.trainable_weights
    assert {weight.name for weight in built.non_trainable_weights} == {"probability", "signs", "batches"}


def test_nothing_is_changed_at_probability_zero() -> None:
    np.testing.assert_allclose(augmentation(0.0)(images(), SEED), images(), atol=1e-6)


def test_each_change_has_the_probability_for_itself() -> None:
    # Of all eight changes a grey image of one shade shows brightness and contrast; at 0.3 a share of 0.7^2 stays.
    before = np.full((2000, 4, 4, 1), 0.5, np.float32)
    after = augmentation(0.3)(before, SEED).numpy()
    stays = np.isclose(after, before).all(axis=(1, 2, 3)).mean()
    assert stays == pytest.approx(0.49, abs=0.04)


def test_images_are_changed_each_in_its_own_way_by_the_seed() -> None:
    built = augmentation(1.0)
    alike = np.repeat(images(1), 6, axis=0)
    after = built(alike, SEED).numpy()
    assert after.shape == alike.shape
    assert all((after[0] != other).any() for other in after[1:])
    np.testing.assert_array_equal(after, built(alike, SEED))
    assert (after != built(alike, tf.constant([3, 5])).numpy()).any()
    others = alike.copy()
    others[1:] = 0.0
    np.testing.assert_array_equal(built(others, SEED)[0], after[0])


@pytest.mark.parametrize("change", range(5))
def test_gradient_passes_the_geometry_and_is_its_transpose(change: int) -> None:
    before, other = tf.constant(images()), images()[::-1].copy()
    which = chosen(5, change, 6)
    with tf.GradientTape() as tape:
        tape.watch(before)
        after = warp(before, which, SEED)
        product = tf.reduce_sum(after * other)
    # The map is linear: <A x, y> = <x, A^T y>.
    gradient = tape.gradient(product, before)
    assert float(tf.reduce_sum(gradient * before)) == pytest.approx(float(product), rel=1e-4)
    assert (np.abs(after.numpy() - before.numpy()).max(axis=(1, 2, 3)) > 0.0).any()


def places(number: int, size: int = 33) -> NDArray[np.float32]:
    """Images that hold each pixel's row and column, from the centre."""
    rows, columns = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    image = np.stack([rows, columns], axis=-1).astype(np.float32) - (size - 1) / 2
    return np.repeat(image[None], number, axis=0)


def matrices(change: int, number: int = 400) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The linear map from a pixel's place to the place it is taken from, [n, 2, 2], and its value at the centre."""
    found = warp(places(number), chosen(5, change, number), SEED).numpy()
    centre = found[:, 16, 16]
    return np.stack([found[:, 17, 16] - centre, found[:, 16, 17] - centre], axis=-1), centre


def test_whole_shifts_are_uniform_within_an_eighth() -> None:
    matrix, centre = matrices(0)
    np.testing.assert_allclose(matrix, np.broadcast_to(np.eye(2), matrix.shape), atol=1e-4)
    assert set(np.unique(np.round(centre, 3))) == set(range(-4, 5))


def test_shifts_are_normal_with_an_eighth() -> None:
    _, centre = matrices(4)
    np.testing.assert_allclose(centre.std(axis=0), 33 / 8, rtol=0.1)


def test_scaling_and_stretching_are_powers_of_two() -> None:
    scale, _ = matrices(1)
    np.testing.assert_allclose(scale[:, 0, 0], scale[:, 1, 1], rtol=1e-3)
    stretch, _ = matrices(3)
    np.testing.assert_allclose(stretch[:, 0, 0] * stretch[:, 1, 1], 1.0, rtol=1e-3)
    for matrix in (scale, stretch):
        np.testing.assert_allclose(matrix[:, 0, 1], 0.0, atol=1e-3)
        assert np.log2(matrix[:, 0, 0]).std() == pytest.approx(0.2, rel=0.1)


def test_rotation_is_by_an_eighth_of_a_turn_at_most() -> None:
    matrix, _ = matrices(2)
    np.testing.assert_allclose(matrix @ matrix.transpose(0, 2, 1), np.broadcast_to(np.eye(2), matrix.shape), atol=2e-3)
    np.testing.assert_allclose(np.linalg.det(matrix), 1.0, atol=2e-3)
    angles = np.degrees(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert -45.01 < angles.min() < -43.0
    assert 43.0 < angles.max() < 45.01


def test_colours_change_by_the_papers_deviations() -> None:
    number = 2000
    even = np.full((number, 1, 1, 1), 0.5, np.float32)
    brightness = recolor(even, chosen(3, 0, number), SEED).numpy() - 0.5
    contrast = np.log2(recolor(even, chosen(3, 1, number), SEED).numpy() / 0.5)
    coloured = np.tile(np.array([0.1, 0.2, 0.6], np.float32), (number, 1, 1, 1))
    saturated = recolor(coloured, chosen(3, 2, number), SEED).numpy()
    np.testing.assert_allclose(saturated.mean(axis=-1), 0.3, rtol=1e-4)
    saturation = np.log2((saturated[..., 2] - 0.3) / 0.3)
    for values, deviation in ((brightness, 0.2), (contrast, 0.5), (saturation, 1.0)):
        assert values.std() == pytest.approx(deviation, rel=0.06)
        assert values.mean() == pytest.approx(0.0, abs=0.1 * deviation)
