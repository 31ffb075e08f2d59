"""The gradient penalty: values and gradients worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from evenhand.models.training.gradient_penalty import gradient_penalty

SEED = tf.constant([1, 2])
REAL, SYNTHETIC = tf.constant([[0.0, 1.0], [2.0, 3.0]]), tf.constant([[5.0, -1.0], [0.5, 0.0]])


@pytest.mark.parametrize(("slope", "penalty"), [((3.0, 4.0), 160.0), ((0.6, 0.8), 0.0), ((0.0, 0.0), 10.0)])
def test_linear_critic(slope: tuple[float, float], penalty: float) -> None:
    """A slope of length 5 costs 10 (5 - 1)^2, one of length 1 nothing, a constant critic 10."""
    weights = tf.constant(slope)[:, None]
    value = gradient_penalty(lambda images: images @ weights + 7.0, REAL, SYNTHETIC, SEED)
    assert 10.0 * float(value) == pytest.approx(penalty, abs=1e-4)


def test_slopes_are_those_of_single_images() -> None:
    """Images as maps, slopes of length 1 and 5 by their sign: the mean of 0 and 16, whatever the critic's shape."""
    real = tf.concat([tf.ones((3, 2, 2, 1)), -tf.ones((3, 2, 2, 1))], 0)

    def critic(images: tf.Tensor) -> tf.Tensor:
        total = tf.reduce_sum(images, axis=(1, 2, 3))
        return tf.where(total > 0, 0.5 * total, 2.5 * total)

    assert float(gradient_penalty(critic, real, 2.0 * real, SEED)) == pytest.approx(8.0, rel=1e-5)
    assert float(gradient_penalty(lambda x: critic(x)[:, None], real, 2.0 * real, SEED)) == pytest.approx(8.0, rel=1e-5)


def test_each_pair_is_mixed_by_a_uniform_share_of_its_own() -> None:
    """Between 0 and 1 the slope of x^2 / 2 is the share u itself, and the mean of (u - 1)^2 is 1/3."""
    number = 4000
    mixed: list[tf.Tensor] = []

    def critic(images: tf.Tensor) -> tf.Tensor:
        mixed.append(images)
        return tf.reduce_sum(images**2, axis=1) / 2.0

    value = gradient_penalty(critic, tf.zeros((number, 1)), tf.ones((number, 1)), SEED)
    assert float(value) == pytest.approx(1 / 3, abs=0.02)
    assert 0.0 <= float(tf.reduce_min(mixed[0])) < 0.01
    assert 0.99 < float(tf.reduce_max(mixed[0])) <= 1.0
    gradient_penalty(critic, tf.zeros((number, 1)), tf.ones((number, 1)), SEED)
    np.testing.assert_array_equal(mixed[0], mixed[1])
    gradient_penalty(critic, tf.zeros((number, 1)), tf.ones((number, 1)), tf.constant([3, 4]))
    assert (mixed[0].numpy() != mixed[2].numpy()).any()


def test_all_pixels_of_an_image_share_one_share() -> None:
    mixed: list[tf.Tensor] = []

    def critic(images: tf.Tensor) -> tf.Tensor:
        mixed.append(images)
        return tf.reduce_sum(images, axis=(1, 2, 3))

    gradient_penalty(critic, tf.zeros((5, 2, 2, 3)), tf.ones((5, 2, 2, 3)), SEED)
    shares = mixed[0].numpy().reshape(5, -1)
    assert (shares == shares[:, :1]).all()
    assert len(set(shares[:, 0])) == 5


def test_second_derivatives_reach_the_critic() -> None:
    """d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w| = (4.8, 6.4) at (3, 4)."""
    weights = tf.Variable([[3.0], [4.0]])
    with tf.GradientTape() as tape:
        value = gradient_penalty(lambda images: images @ weights, REAL, SYNTHETIC, SEED)
    np.testing.assert_allclose(tape.gradient(value, weights), [[4.8], [6.4]], rtol=1e-5)


def test_a_constant_critic_has_finite_gradients() -> None:
    weights = tf.Variable([[0.0], [0.0]])
    with tf.GradientTape() as tape:
        value = gradient_penalty(lambda images: images @ weights, REAL, SYNTHETIC, SEED)
    assert np.isfinite(tape.gradient(value, weights)).all()


def test_half_precision_is_penalised_in_full() -> None:
    weights = tf.constant([[3.0], [4.0]], tf.bfloat16)
    critic = lambda images: tf.cast(images, tf.bfloat16) @ weights  # noqa: E731
    value = gradient_penalty(critic, tf.cast(REAL, tf.bfloat16), SYNTHETIC, SEED)
    assert value.dtype == tf.float32
    assert float(value) == pytest.approx(16.0)
