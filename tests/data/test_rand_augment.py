"""RandAugment's operations against Keras' layers and Pillow, and what they share."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps
from scipy.stats import chisquare

from evenhand.config import Augmentation, RandAugment
from evenhand.data.augmentation import augment
from evenhand.data.rand_augment import OPERATIONS, rand_augment


def pictures(count: int = 6, channels: int = 3, size: int = 12) -> np.ndarray:
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 120, (count, 1, 1, channels))
    return np.round(low + rng.uniform(0, 130, (count, size, size, channels))).astype(np.float32)


def applied(name: str, images: np.ndarray, magnitude: float) -> np.ndarray:
    return OPERATIONS[name](tf.constant(images), tf.fill([len(images)], magnitude)).numpy()


def by_pillow(images: np.ndarray, change) -> np.ndarray:
    return np.stack([np.asarray(change(Image.fromarray(image.astype(np.uint8)))) for image in images])


@pytest.mark.parametrize(
    ("name", "change", "tolerance"),
    [
        ("color", lambda image: ImageEnhance.Color(image).enhance(1.45), 2),
        ("contrast", lambda image: ImageEnhance.Contrast(image).enhance(1.45), 2),
        ("brightness", lambda image: ImageEnhance.Brightness(image).enhance(1.45), 1),
        ("sharpness", lambda image: ImageEnhance.Sharpness(image).enhance(1.45), 2),
        ("posterize", lambda image: ImageOps.posterize(image, 6), 0),
        ("solarize", lambda image: ImageOps.solarize(image, 128), 0),
        ("auto_contrast", ImageOps.autocontrast, 1),
        ("equalize", ImageOps.equalize, 4),
    ],
)
def test_operations_are_pillows(name, change, tolerance):
    # Pillow divides a histogram by whole numbers of pixels, so that it takes many for a like result.
    images = pictures(size=200)
    np.testing.assert_allclose(applied(name, images, 0.5), by_pillow(images, change), atol=tolerance)


def test_auto_contrast_is_keras_layer():
    images = pictures(size=24)
    expected = keras.layers.AutoContrast(value_range=(0, 255))(images).numpy()
    np.testing.assert_allclose(applied("auto_contrast", images, 0.5), expected, atol=1)


@pytest.mark.parametrize("name", list(OPERATIONS))
@pytest.mark.parametrize("channels", [1, 3])
def test_every_operation_keeps_shape_and_range_also_of_no_image(name, channels):
    for images in (pictures(channels=channels), pictures(channels=channels)[:0], np.full((2, 5, 7, channels), 9.0)):
        for magnitude in (-1.0, 0.3, 1.0):
            changed = applied(name, images.astype(np.float32), magnitude)
            assert changed.shape == images.shape
            assert np.isfinite(changed).all()
            assert ((changed >= 0) & (changed <= 255)).all()


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"auto_contrast", "equalize"}))
def test_a_magnitude_of_zero_changes_nothing(name):
    images = pictures()
    np.testing.assert_allclose(applied(name, images, 0.0), images, atol=1e-3)


@pytest.mark.parametrize("name", ["rotate", "shear_x", "shear_y", "translate_x", "translate_y"])
def test_geometry_is_symmetric_and_stays_near_the_centre(name):
    images = np.zeros((1, 21, 21, 1), np.float32)
    images[0, 10, 10] = images[0, 4, 10] = images[0, 10, 16] = 255.0
    there = applied(name, images, 0.5)
    assert np.abs(there - images).max() > 50
    back = OPERATIONS[name](tf.constant(there), tf.constant([-0.5])).numpy()
    assert np.corrcoef(back.ravel(), images.ravel())[0, 1] > 0.6
    if not name.startswith("translate"):
        assert there[0, 10, 10] == pytest.approx(255.0, abs=1)


def test_translation_moves_by_its_share():
    images = np.zeros((1, 20, 20, 1), np.float32)
    images[0, 10, 10] = 255.0
    assert applied("translate_x", images, 0.5)[0, 10, 7] == pytest.approx(255.0, abs=1)
    assert applied("translate_y", images, -0.5)[0, 13, 10] == pytest.approx(255.0, abs=1)


def test_operations_that_no_image_drew_have_a_graph_too():
    """Kernels that are chosen when a graph is built may shape nothing wrongly."""
    images = tf.constant(pictures()[:2].astype(np.float32))
    drawn = tf.function(lambda seed: rand_augment(images, seed, RandAugment()))
    for number in range(4):
        np.testing.assert_allclose(
            drawn(tf.constant([number, 1])), rand_augment(images, [number, 1], RandAugment()), atol=1e-2
        )


def test_each_image_draws_its_own_operation_evenly():
    # The operations tell apart by what they make of a gradient.
    count = 14 * 150
    gradient = np.tile(np.arange(0, 240, 10, dtype=np.float32)[None, None, :, None], (count, 24, 1, 3))
    gradient[..., 1] = gradient[..., 0].transpose(0, 2, 1)
    gradient[..., 2] **= 2  # Sharpness leaves even slopes as they are.
    gradient[..., 2] /= 240
    out = rand_augment(tf.constant(gradient), [3, 4], RandAugment(operations=1, magnitude=0.5)).numpy()
    unlike = {
        sign: np.stack([applied(name, gradient[:1], sign * 0.5)[0] for name in OPERATIONS]) for sign in (-1.0, 1.0)
    }
    distances = np.minimum(*(np.abs(out[:, None] - unlike[sign][None]).max(axis=(2, 3, 4)) for sign in unlike))
    assert (distances.min(axis=1) < 1e-3).all()
    assert chisquare(np.bincount(distances.argmin(axis=1), minlength=14)).pvalue > 0.001


def test_changes_depend_on_the_seed_alone_and_follow_the_others():
    images = tf.constant(pictures())
    both = Augmentation(flip=True, rand_augment=RandAugment())
    one, again, other = (augment(images, seed, both).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1
    moved = augment(images, [1, 2], Augmentation(flip=True)).numpy()
    assert np.abs(one - moved).max() > 1
