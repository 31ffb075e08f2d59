"""Losses against worked examples, other implementations, and what they must not do."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from evenhand.models import losses

# Four unit vectors, three classes: the angles make every cosine 0, 0.28, 0.6, 0.8 or its negative.
EMBEDDINGS = np.array([[1, 0], [0.8, 0.6], [0, 1], [-0.6, 0.8]], np.float32)
LABELS = np.array([0, 0, 1, 2], np.int32)
PROXIES = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)


@pytest.mark.parametrize(("variant", "expected"), [("paper", 2.020129), ("studiogan", 0.905131)])
def test_d2d_worked_example(variant, expected):
    loss = losses.d2d_cross_entropy(EMBEDDINGS, PROXIES, LABELS, variant=variant)
    assert float(loss) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("variant", ["paper", "studiogan"])
def test_d2d_normalises_its_inputs(variant):
    scales = np.array([[3.0], [0.1], [7.0], [1.0]], np.float32)
    plain = losses.d2d_cross_entropy(EMBEDDINGS, PROXIES, LABELS, variant=variant)
    scaled = losses.d2d_cross_entropy(EMBEDDINGS * scales, PROXIES * 5, LABELS, variant=variant)
    assert float(scaled) == pytest.approx(float(plain), abs=1e-5)


def d2d_by_loops(f, v, y, t, m_p, m_n, *, shift):
    """The definition, image by image."""
    f, v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (f.astype(float), v.astype(float)))
    total = 0.0
    for i in range(len(f)):
        s = [(f[i] @ f[j] - m_n) / t for j in range(len(f))]
        a = max((m_p - f[i] @ v[y[i]]) / t, 0)
        m = max(s[j] for j in range(len(f)) if j != i) if shift else 0.0
        negatives = sum(np.exp(max(s[j], 0) - m) for j in range(len(f)) if y[j] != y[i])
        total += a + np.log(np.exp(-a) + negatives)
    return total / len(f)


@pytest.mark.parametrize("variant", ["paper", "studiogan"])
def test_d2d_equals_its_definition(variant):
    rng = np.random.default_rng(0)
    f, v, y = rng.normal(size=(12, 5)), rng.normal(size=(4, 5)), rng.integers(0, 4, 12)
    margins = {"temperature": 0.75, "positive_margin": 0.9, "negative_margin": 0.1}
    ours = losses.d2d_cross_entropy(f, v, y, variant=variant, **margins)
    assert float(ours) == pytest.approx(d2d_by_loops(f, v, y, 0.75, 0.9, 0.1, shift=variant == "studiogan"), rel=1e-5)


def test_d2d_of_one_class_near_its_proxy_is_zero():
    embeddings = np.tile(PROXIES[:1], (5, 1))
    assert float(losses.d2d_cross_entropy(embeddings, PROXIES, np.zeros(5, np.int32))) == pytest.approx(0, abs=1e-6)


def test_d2d_gives_no_gradient_beyond_the_margins():
    # Cosine to the own proxy 1 >= 0.98, to the other image -1 < 0.02: nothing is left to move.
    embeddings = tf.Variable([[1.0, 0.0], [-1.0, 0.0]])
    proxies = tf.Variable(PROXIES)
    with tf.GradientTape() as tape:
        loss = losses.d2d_cross_entropy(embeddings, proxies, np.array([0, 2]))
    for gradient in tape.gradient(loss, [embeddings, proxies]):
        np.testing.assert_allclose(tf.convert_to_tensor(gradient), 0, atol=1e-7)


def test_d2d_refuses_unknown_variants():
    with pytest.raises(ValueError, match="variant"):
        losses.d2d_cross_entropy(EMBEDDINGS, PROXIES, LABELS, variant="studio")


def test_balanced_softmax_by_hand():
    # Equal logits leave the prior alone: 3 of 4 images are of class 0.
    loss = losses.balanced_softmax(np.zeros((2, 2), np.float32), np.array([0, 1]), np.array([3, 1]))
    assert float(loss) == pytest.approx((-np.log(0.75) - np.log(0.25)) / 2, abs=1e-6)


def test_balanced_softmax_equals_scipy():
    rng = np.random.default_rng(1)
    logits, labels, counts = rng.normal(size=(20, 5)), rng.integers(0, 5, 20), np.array([100, 30, 9, 3, 1])
    expected = -log_softmax(logits + np.log(counts), axis=1)[np.arange(20), labels].mean()
    assert float(losses.balanced_softmax(logits, labels, counts)) == pytest.approx(expected, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 10_000), min_size=3, max_size=3), st.integers(1, 9))
def test_only_the_ratios_of_the_counts_matter(counts, factor):
    logits, labels = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, -2.0]], np.float32), np.array([0, 2])
    one = float(losses.balanced_softmax(logits, labels, np.array(counts)))
    assert float(losses.balanced_softmax(logits, labels, factor * np.array(counts))) == pytest.approx(one, abs=1e-4)


def test_equal_counts_are_plain_cross_entropy():
    logits, labels = np.random.default_rng(2).normal(size=(6, 4)).astype(np.float32), np.array([0, 1, 2, 3, 0, 1])
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    assert float(losses.balanced_softmax(logits, labels, np.full(4, 7))) == pytest.approx(float(plain), abs=1e-6)


def test_a_class_without_images_takes_no_part():
    logits = tf.Variable([[1.0, 2.0, 30.0]])
    with tf.GradientTape() as tape:
        loss = losses.balanced_softmax(logits, np.array([0]), np.array([5, 5, 0]))
    assert float(loss) == pytest.approx(float(-log_softmax([1.0, 2.0])[0]), abs=1e-5)
    assert tape.gradient(loss, logits).numpy()[0, 2] == 0


def test_half_precision_logits_give_a_float32_loss():
    logits = keras.ops.cast(np.zeros((2, 2)), "bfloat16")
    assert losses.balanced_softmax(logits, np.array([0, 1]), np.array([1, 1])).dtype == "float32"


def test_hinge_by_hand() -> None:
    real, synthetic = [1.0, 0.2], [-0.5, 0.3]
    assert float(losses.hinge_discriminator(real, synthetic)) == pytest.approx(1.3)
    assert float(losses.hinge_generator(synthetic)) == pytest.approx(0.1)


def test_discriminator_accuracy_counts_each_side() -> None:
    accuracy = losses.discriminator_accuracy(np.array([1.0, 0.2, -1.0, 3.0]), np.array([-0.5, 0.3]))
    assert {name: float(value) for name, value in accuracy.items()} == {
        "real_accuracy": 0.75,
        "synthetic_accuracy": 0.5,
    }
