"""LeCam's penalty, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from evenhand.models.training.lecam import LeCam

REAL, SYNTHETIC = tf.constant([1.0, 0.2]), tf.constant([-0.5, 0.3])


def regularizer(decay: float = 0.99) -> LeCam:
    built = LeCam(decay)
    built.real_mean.assign(0.8)
    built.synthetic_mean.assign(-0.3)
    return built


def test_penalty_is_the_worked_one() -> None:
    # ((1 + 0.3)^2 + (0.2 + 0.3)^2) / 2 + ((0.8 + 0.5)^2 + (0.8 - 0.3)^2) / 2 = 0.97 + 0.97
    assert float(regularizer()(REAL, SYNTHETIC)) == pytest.approx(1.94, abs=1e-6)


def test_logits_short_of_the_other_mean_cost_nothing() -> None:
    assert float(regularizer()(tf.constant([-0.4]), tf.constant([0.9]))) == 0.0


def test_means_follow_without_a_gradient() -> None:
    built = regularizer(0.9)
    with tf.GradientTape() as tape:
        tape.watch(REAL)
        built.follow(REAL, SYNTHETIC)
        mean = tf.identity(built.real_mean.value)
    np.testing.assert_allclose(built.real_mean, 0.9 * 0.8 + 0.1 * 0.6, rtol=1e-6)
    np.testing.assert_allclose(built.synthetic_mean, 0.9 * -0.3 + 0.1 * -0.1, rtol=1e-6)
    assert tape.gradient(mean, REAL) is None
    assert not built.trainable_weights
