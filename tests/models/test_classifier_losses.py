"""Classification losses against values worked by hand, and against Keras and scikit-learn."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from evenhand import registry
from evenhand.errors import UserError
from evenhand.models import losses
from evenhand.models.classifier_losses._terms import LossTerms
from evenhand.models.phase import Loss

NAMES = registry.names("models.classifier_losses")
COUNTS = np.array([6, 3, 1])
# Logits log 2, log 1, log 1: probabilities 1/2, 1/4, 1/4.
LOGITS = np.log(np.array([[2.0, 1.0, 1.0], [2.0, 1.0, 1.0]], np.float32))
LABELS = np.array([0, 2])


def mean_loss(loss, logits=LOGITS, labels=LABELS, counts=COUNTS):
    return value(Loss.model_validate(loss).terms(np.asarray(counts)), logits, np.eye(len(counts))[labels])


def value(terms, logits, targets):
    return float(
        losses.weighted_focal_cross_entropy(
            logits, targets.astype(np.float32), terms.log_prior, terms.weights, np.float32(terms.focusing)
        )
    )


def with_options(name, **options):
    return {"name": name, "options": options}


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # p = 1/2 and 1/4.
        ("cross_entropy", (np.log(2) + np.log(4)) / 2),
        # 2 * 6, 1 * 3, 1 * 1 of 16: p = 12/16 and 1/16.
        ("balanced_softmax", (np.log(16 / 12) + np.log(16)) / 2),
        (with_options("logit_adjustment", tau=1.0), (np.log(16 / 12) + np.log(16)) / 2),
        # 2 * 36, 9, 1 of 82.
        (with_options("logit_adjustment", tau=2.0), (np.log(82 / 72) + np.log(82)) / 2),
        (with_options("logit_adjustment", tau=0.0), (np.log(2) + np.log(4)) / 2),
        # (1/2)^2 log 2 and (3/4)^2 log 4.
        ("focal", (np.log(2) / 4 + 9 / 16 * np.log(4)) / 2),
        (with_options("focal", gamma=1.0), (np.log(2) / 2 + 3 / 4 * np.log(4)) / 2),
        (with_options("focal", gamma=0.0), (np.log(2) + np.log(4)) / 2),
        # 10 / (3 * n): 5/9 and 10/3.
        ("class_weight", (5 / 9 * np.log(2) + 10 / 3 * np.log(4)) / 2),
        # beta 1/2: effective numbers 63/32, 7/4 and 1, so weights as 32/63, 4/7, 1; their mean over the images is
        # (6 * 32/63 + 3 * 4/7 + 1) / 10 = 121/210.
        (
            with_options("class_weight", by="effective_number", beta=0.5),
            (32 / 63 * np.log(2) + np.log(4)) / (121 / 210) / 2,
        ),
        (with_options("class_weight", by="effective_number", beta=0.0), (np.log(2) + np.log(4)) / 2),
    ],
)
def test_losses_by_hand(loss, expected):
    assert mean_loss(loss) == pytest.approx(expected, rel=1e-6)


def test_inverse_weights_are_scikit_learns_balanced_ones():
    labels = np.repeat([0, 1, 2], COUNTS)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(Loss(name="class_weight").terms(COUNTS).weights, expected, rtol=1e-6)


def test_the_effective_number_tends_to_the_count():
    near = Loss.model_validate(with_options("class_weight", by="effective_number", beta=1 - 1e-9)).terms(COUNTS)
    np.testing.assert_allclose(near.weights, Loss(name="class_weight").terms(COUNTS).weights, rtol=1e-4)


def test_focal_equals_keras_also_for_mixed_targets():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(7, 4)).astype(np.float32), rng.dirichlet(np.ones(4), 7).astype(np.float32)
    expected = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=1.5, from_logits=True)(targets, logits)
    terms = Loss.model_validate(with_options("focal", gamma=1.5)).terms(np.ones(4))
    assert value(terms, logits, targets) == pytest.approx(float(expected), rel=1e-5)


def test_a_row_of_targets_weighs_its_image():
    targets = np.eye(3)[LABELS] * np.array([[1.0], [0.5]])
    assert value(LossTerms.plain(3), LOGITS, targets) == pytest.approx((np.log(2) + 0.5 * np.log(4)) / 2)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_where_an_image_is_recognised_for_sure(name):
    logits = tf.Variable([[1000.0, 0.0, -1000.0], [1000.0, 0.0, -1000.0]])
    terms = Loss(name=name).terms(COUNTS)
    with tf.GradientTape() as tape:
        loss = losses.weighted_focal_cross_entropy(
            logits, np.eye(3, dtype=np.float32)[[0, 2]], terms.log_prior, terms.weights, terms.focusing
        )
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, logits)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_class_without_images_does_no_harm(name):
    terms = Loss(name=name).terms(np.array([4, 4, 0]))
    assert np.isfinite(terms.log_prior).all() and np.isfinite(terms.weights).all()
    assert np.isfinite(value(terms, LOGITS, np.eye(3)[[0, 1]]))
    assert np.isfinite(terms.mean(np.eye(3)[[2, 2]], np.array([0, 1])))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"focal"}))
@settings(max_examples=20, deadline=None)
@given(st.integers(1, 1000))
def test_equal_counts_leave_cross_entropy(name, count):
    assert mean_loss(name, counts=[count] * 3) == pytest.approx(mean_loss("cross_entropy"), rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_on_validation_is_the_same_loss(name):
    terms = Loss(name=name).terms(COUNTS)
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    assert terms.mean(probabilities, LABELS) == pytest.approx(mean_loss(name), rel=1e-5)


def test_losses_are_named_and_checked():
    assert {"cross_entropy", "balanced_softmax", "class_weight", "focal", "logit_adjustment"} == set(NAMES)
    with pytest.raises(UserError, match="did you mean 'focal'"):
        Loss(name="focall")
    with pytest.raises(UserError, match=r"^loss\.options\.gama: there is no such option"):
        Loss(name="focal", options={"gama": 1})
    plain, full = Loss.model_validate("focal"), Loss.model_validate(with_options("focal", gamma=1.0))
    assert plain.model_dump(mode="json") == "focal"
    assert Loss.model_validate(full.model_dump(mode="json")) == full
