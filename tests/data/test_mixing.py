"""Mixtures of images and of their labels agree, for mixup and cutmix."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import kstest

from evenhand.config import Mixing
from evenhand.data.mixing import mix, random_partners

SIZE = 3000


def mixed(mixing: Mixing, seed=(0, 1), size: int = SIZE, pixels: int = 8):
    """Black images of class 0, each with a white one of class 1 as its partner."""
    images = np.zeros((2 * size, pixels, pixels, 1), np.float32)
    images[size:] = 255.0
    targets = np.repeat(np.eye(2, dtype=np.float32), size, axis=0)
    partners = np.roll(np.arange(2 * size), size)
    images, targets = mix(tf.constant(images), tf.constant(targets), partners, list(seed), mixing)
    return images.numpy()[:size], targets.numpy()[:size]


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_labels_are_mixed_as_the_pixels_are(kind):
    images, targets = mixed(Mixing(kind=kind, alpha=1.0))
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)) / 255, targets[:, 1], atol=1e-5)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_proportions_follow_the_beta_distribution(alpha):
    _, targets = mixed(Mixing(alpha=alpha))
    assert kstest(targets[:, 0].astype(float), "beta", args=(alpha, alpha)).pvalue > 0.001


def test_proportions_of_tiny_alphas_are_numbers():
    _, targets = mixed(Mixing(alpha=0.005))
    assert np.isfinite(targets).all() and 0.4 < targets[:, 0].mean() < 0.6


def test_a_cutmix_box_is_a_rectangle_of_its_area():
    images, targets = mixed(Mixing(kind="cutmix", alpha=1.0), pixels=32)
    inside = images[..., 0] > 0
    rows, columns = inside.any(axis=2).sum(axis=1), inside.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(rows * columns, inside.sum(axis=(1, 2)))
    np.testing.assert_allclose(inside.mean(axis=(1, 2)), targets[:, 1], atol=1e-6)
    assert 0.15 < targets[:, 1].mean() < 0.5
    # Uniform proportions, less what the border cuts off.
    assert targets[:, 1].max() > 0.85 and (targets[:, 1] < 0.05).mean() > 0.03


def test_probability_leaves_the_others_as_they_are():
    images, targets = mixed(Mixing(alpha=1.0, probability=0.25))
    untouched = targets[:, 0] == 1
    assert 0.7 < untouched.mean() < 0.8
    assert (images[untouched] == 0).all()


def test_mixtures_depend_on_the_seed_alone():
    one, again, other = (mixed(Mixing(), seed, 20)[0] for seed in ((0, 1), (0, 1), (0, 2)))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)


def test_random_partners_are_an_order_of_the_batch():
    partners = random_partners(50, [0, 1]).numpy()
    assert sorted(partners) == list(range(50))
    assert list(partners) != list(range(50))
    assert list(partners) != list(random_partners(50, [0, 2]).numpy())


def test_weights_travel_with_the_images():
    targets = np.array([[2.0, 0.0], [0.0, 0.5]], np.float32)
    _, mixture = mix(tf.zeros([2, 4, 4, 1]), tf.constant(targets), [1, 0], [0, 1], Mixing(alpha=1.0))
    kept = mixture.numpy()[0, 0] / 2.0
    assert mixture.numpy()[0, 1] == pytest.approx(0.5 * (1 - kept), rel=1e-5)
