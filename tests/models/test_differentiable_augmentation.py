"""Random changes of what a discriminator sees, by properties that each must have."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from evenhand.models.training.differentiable_augmentation import Policy, augment

POLICIES: tuple[Policy, ...] = (
    ("flip",),
    ("color",),
    ("translation",),
    ("cutout",),
    ("color", "translation", "cutout"),
)
SEED = (3, 4)


def images(number: int = 6, height: int = 16, width: int = 12, channels: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-1.0, 1.0, (number, height, width, channels)).astype(np.float32)


def test_an_empty_policy_changes_nothing() -> None:
    np.testing.assert_array_equal(augment(images(), (), SEED), images())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("policy", POLICIES)
def test_shapes_stay_and_the_seed_decides(policy: Policy, channels: int) -> None:
    before = images(channels=channels)
    after = augment(before, policy, SEED)
    assert after.shape == before.shape
    assert after.dtype == before.dtype
    assert (after.numpy() != before).any()
    np.testing.assert_array_equal(after, augment(before, policy, SEED))
    assert (after.numpy() != augment(before, policy, (3, 5)).numpy()).any()


@pytest.mark.parametrize("policy", POLICIES)
def test_each_image_is_changed_in_its_own_way_and_by_nothing_of_the_others(policy: Policy) -> None:
    before = images()
    alike = augment(np.repeat(before[:1], 6, axis=0), policy, SEED).numpy()
    assert any((alike[0] != other).any() for other in alike[1:])
    mixed = before.copy()
    mixed[1:] = 0.5
    np.testing.assert_array_equal(augment(mixed, policy, SEED)[0], augment(before, policy, SEED)[0])


@pytest.mark.parametrize("policy", POLICIES)
def test_gradient_passes(policy: Policy) -> None:
    before = tf.constant(images())
    with tf.GradientTape() as tape:
        tape.watch(before)
        total = tf.reduce_sum(augment(before, policy, SEED) ** 2)
    gradient = tape.gradient(total, before).numpy()
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient).sum(axis=(1, 2, 3)) > 0.0).all()


def test_flip_mirrors_about_half_the_images_and_changes_nothing_else() -> None:
    before = images(400)
    after = augment(before, ("flip",), SEED).numpy()
    is_mirrored = (after == before[:, :, ::-1]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(after[~is_mirrored], before[~is_mirrored])
    assert 0.4 < is_mirrored.mean() < 0.6
    # Of the other changes nothing depends on whether there is mirroring.
    moved = augment(before, ("translation", "flip"), SEED).numpy()
    np.testing.assert_array_equal(moved, augment(after, ("translation",), SEED))


@pytest.mark.parametrize(("size", "most"), [(28, 4), (32, 4), (20, 3), (9, 1)])
def test_translation_draws_every_number_of_pixels_up_to_an_eighth_alike_often(size: int, most: int) -> None:
    before = np.zeros((3000, size, size, 1), np.float32)
    before[:, size // 2, size // 2] = 1.0
    _, rows, columns, _ = np.nonzero(augment(before, ("translation",), SEED).numpy())
    for places in (rows, columns):
        moves, counts = np.unique(places - size // 2, return_counts=True)
        np.testing.assert_array_equal(moves, np.arange(-most, most + 1))
        np.testing.assert_allclose(counts, 3000 / (2 * most + 1), rtol=0.25)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (32, 32), (15, 9)])
def test_cutout_blanks_one_rectangle_of_half_the_size(height: int, width: int) -> None:
    blank = augment(np.ones((200, height, width, 1), np.float32), ("cutout",), SEED).numpy()[..., 0] == 0.0
    tall, wide = int(height / 2 + 0.5), int(width / 2 + 0.5)
    rows, columns = blank.any(axis=2), blank.any(axis=1)
    np.testing.assert_array_equal(blank, rows[:, :, None] & columns[:, None, :])
    for covered, length in ((rows, tall), (columns, wide)):
        # One run of pixels each, cut off where the centre is near an edge, by no more than half.
        assert (np.abs(np.diff(covered.astype(int), axis=1)).sum(axis=1) <= 2).all()
        assert covered.sum(axis=1).max() == length
        assert covered.sum(axis=1).min() >= length // 2
        assert (covered.mean(axis=0) > 0.0).all()


def test_translation_moves_whole_images_by_up_to_an_eighth() -> None:
    # Each pixel names its place, so the top left one of the middle tells the displacement.
    rows, columns = np.meshgrid(np.arange(32.0), np.arange(32.0), indexing="ij")
    places = np.repeat(np.stack([rows, columns], axis=-1)[None], 300, axis=0).astype(np.float32)
    moved = augment(places, ("translation",), SEED).numpy()
    shifts = np.array([8.0, 8.0]) - moved[:, 8, 8]
    assert set(np.unique(shifts)) == set(range(-4, 5))
    expected = np.clip(places - shifts[:, None, None], 0.0, 31.0)
    np.testing.assert_array_equal(moved, expected)


def test_color_keeps_a_grey_image_grey_and_shifts_an_even_one_by_its_brightness_alone() -> None:
    even = augment(np.full((300, 8, 8, 3), 0.25, np.float32), ("color",), SEED).numpy()
    np.testing.assert_allclose(even, even[:, :1, :1, :1] * np.ones_like(even), atol=1e-5)
    brightness = even[:, 0, 0, 0] - 0.25
    assert -0.5 <= brightness.min() < -0.45
    assert 0.45 < brightness.max() <= 0.5


def test_color_scales_saturation_and_contrast_within_its_range() -> None:
    before = images(300)
    after = augment(before, ("color",), SEED).numpy()
    # Contrast scales the spread of the grey values, saturation and contrast that of the colours beside them.
    grey_before, grey_after = before.mean(axis=-1), after.mean(axis=-1)
    contrast = grey_after.std(axis=(1, 2)) / grey_before.std(axis=(1, 2))
    assert 0.5 <= contrast.min() < 0.55
    assert 1.45 < contrast.max() <= 1.5
    colour = (after - grey_after[..., None]).std(axis=(1, 2, 3)) / (before - grey_before[..., None]).std(axis=(1, 2, 3))
    saturation = colour / contrast
    assert 0.0 <= saturation.min() < 0.1
    assert 1.9 < saturation.max() <= 2.0001
