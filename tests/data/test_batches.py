"""Batch k is a function of the seed and k alone, and draws as its sampling says."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import chisquare

from evenhand.config import Augmentation
from evenhand.data import batches
from evenhand.data.augmentation import augment
from evenhand.data.image_table import ImageTable


def table(counts=(60, 25, 5), size: int = 4) -> ImageTable:
    """Image i holds the number i in every pixel."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)
    images = np.broadcast_to(np.arange(len(labels), dtype=np.uint8)[:, None, None, None], (len(labels), size, size, 1))
    return ImageTable(images, labels, np.arange(len(labels)).astype(str), tuple("abcdefgh"[: len(counts)]))


def rows(dataset) -> list[list[int]]:
    return [images[:, 0, 0, 0].astype(int).tolist() for images, _ in dataset.as_numpy_iterator()]


@pytest.mark.parametrize("sampling", ["instance", "balanced", "sqrt"])
def test_training_can_go_on_from_any_step(sampling):
    settings = {"batch_size": 16, "sampling": sampling, "seed": 3, "augmentation": Augmentation(rotation=20, shift=0.2)}
    whole = list(batches.batches(table(), num_steps=12, **settings).as_numpy_iterator())
    rest = list(batches.batches(table(), first_step=7, num_steps=5, **settings).as_numpy_iterator())
    for (images, labels), (images_again, labels_again) in zip(whole[7:], rest, strict=True):
        np.testing.assert_array_equal(images, images_again)
        np.testing.assert_array_equal(labels, labels_again)
    other = batches.batches(table(), num_steps=12, **{**settings, "seed": 4})
    assert rows(other) != [images[:, 0, 0, 0].astype(int).tolist() for images, _ in whole]


@pytest.mark.parametrize("sampling", ["instance", "balanced", "sqrt"])
def test_shapes_types_and_labels(sampling):
    images_table = table()
    dataset = batches.batches(images_table, batch_size=8, sampling=sampling, seed=0, num_steps=5)
    assert dataset.cardinality().numpy() == 5
    assert dataset.element_spec == (tf.TensorSpec((8, 4, 4, 1), tf.float32), tf.TensorSpec((8,), tf.int32))
    for images, labels in dataset.as_numpy_iterator():
        np.testing.assert_array_equal(labels, images_table.labels[images[:, 0, 0, 0].astype(int)])


def test_instance_sampling_goes_through_all_images_each_epoch():
    drawn = np.concatenate(rows(batches.batches(table(), batch_size=16, sampling="instance", seed=0, num_steps=45)))
    epochs = drawn.reshape(-1, 90)
    assert all(sorted(epoch) == list(range(90)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == len(epochs)


def test_a_batch_may_be_larger_than_the_table():
    [drawn] = rows(batches.batches(table((3, 2)), batch_size=12, sampling="instance", seed=0, num_steps=1))
    assert sorted(drawn[:5]) == sorted(drawn[5:10]) == list(range(5))


@pytest.mark.parametrize(
    "sampling, law",
    [("balanced", [1 / 3, 1 / 3, 1 / 3]), ("sqrt", np.sqrt([60, 25, 5]) / np.sqrt([60, 25, 5]).sum())],
)
def test_classes_are_drawn_by_their_law_and_images_evenly(sampling, law):
    images = table()
    draw = batches.sampler(images, batch_size=100, sampling=sampling, seed=0)
    drawn = np.concatenate([draw(step) for step in range(100)])
    classes = np.bincount(images.labels[drawn])
    assert chisquare(classes, np.asarray(law) * len(drawn)).pvalue > 0.001
    rare = drawn[images.labels[drawn] == 2]
    assert chisquare(np.bincount(rare)[np.flatnonzero(images.labels == 2)]).pvalue > 0.001


def test_a_class_without_images_is_never_drawn():
    draw = batches.sampler(table((20, 0, 5)), batch_size=64, sampling="balanced", seed=0)
    assert set(table((20, 0, 5)).labels[draw(0)]) == {0, 2}


def test_a_table_without_images_gives_no_batches():
    with pytest.raises(ValueError, match="without images"):
        batches.batches(table((0, 0)), batch_size=2, sampling="instance", seed=0, num_steps=1)


def test_sequential_gives_every_row_once_in_order():
    dataset = batches.sequential(table(), 32)
    assert dataset.cardinality().numpy() == 3
    parts = rows(dataset)
    assert [len(part) for part in parts] == [32, 32, 26] and sum(parts, []) == list(range(90))
    assert rows(batches.sequential(table((0, 0)), 32)) == []


def picture(size: int = 21) -> np.ndarray:
    """A bright dot right above the centre of a dark image."""
    image = np.zeros((1, size, size, 1), np.float32)
    image[0, 5, size // 2, 0] = 255.0
    return image


def test_no_change_leaves_the_images():
    images = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(augment(images, [1, 2], Augmentation()), images)


def test_changes_depend_on_the_seed_alone():
    images = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 3)).astype(np.float32)
    settings = Augmentation(rotation=10, shift=0.1, zoom=0.1, flip=True)
    once, again, other = (augment(tf.constant(images), seed, settings).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 1
    assert np.abs(once[0] - once[1]).max() > 1


def dots(settings: Augmentation, count: int = 400) -> np.ndarray:
    """Where the dot lies after each of `count` changes, (down, right) from the centre in pixels."""
    images = augment(tf.constant(np.repeat(picture(), count, 0)), [0, 1], settings).numpy()[..., 0]
    places = np.indices(images.shape[1:]) - 10
    return np.einsum("nhw,dhw->nd", images, places) / images.sum((1, 2))[:, None]


def test_rotation_turns_about_the_centre_by_at_most_the_angle():
    down, right = dots(Augmentation(rotation=30)).T
    np.testing.assert_allclose(np.hypot(down, right), 5, atol=0.3)
    angles = np.degrees(np.arctan2(right, -down))
    assert 25 < angles.max() < 33 and -33 < angles.min() < -25


def test_shift_moves_by_at_most_the_share():
    moved = dots(Augmentation(shift=0.2)) - [-5, 0]
    assert np.abs(moved).max() < 4.3 and np.abs(moved).max(axis=0).min() > 3.5


def test_zoom_scales_about_the_centre():
    down, right = dots(Augmentation(zoom=0.2)).T
    np.testing.assert_allclose(right, 0, atol=1e-3)
    assert 3.9 < np.abs(down).min() < 4.4 and 5.7 < np.abs(down).max() < 6.4


def test_flip_mirrors_about_half_of_the_images():
    images = np.zeros((400, 5, 5, 1), np.float32)
    images[:, 2, 0] = 1.0
    flipped = augment(tf.constant(images), [0, 1], Augmentation(flip=True)).numpy()
    np.testing.assert_allclose(flipped[:, 2, 0] + flipped[:, 2, 4], 1.0, atol=1e-5)
    assert 0.4 < flipped[:, 2, 4].mean() < 0.6
