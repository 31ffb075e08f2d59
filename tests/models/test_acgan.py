"""`acgan`: published sizes, losses by hand, and what the class head learns from."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand.config import parse_options
from evenhand.errors import UserError
from evenhand.models.generators import acgan
from evenhand.models.training.conditional_generator import Batch
from tests.tables import noise

LABELS, SEED = tf.constant([0, 1]), tf.constant([0, 0])
REAL = tf.ones((2, 8, 8, 1))
TINY: dict[str, Any] = {"width": 2, "latent_size": 4}


def build(image_shape: tuple[int, int, int] = (8, 8, 1), **options: Any) -> acgan.ACGAN:
    return acgan.build(acgan.Options(**options), noise(image_shape, [1] * 10), seed=0)


def numbers(network: keras.Model) -> int:
    return sum(weight.value.shape.num_elements() for weight in network.trainable_weights)


def judged(
    monkeypatch: pytest.MonkeyPatch, model: acgan.ACGAN, real: Any, synthetic: Any, synthetic_classes: Any = None
) -> None:
    """Gives `model` these scores, and class logits of nothing but zeros unless told otherwise."""

    def judge(images: Any, seed: Any) -> tuple[Any, Any]:
        zeros = tf.zeros((2, 10))
        if images is REAL:
            return tf.constant(real)[:, None], zeros
        return tf.constant(synthetic)[:, None], zeros if synthetic_classes is None else synthetic_classes

    monkeypatch.setattr(model, "_judge", judge)


def losses(model: acgan.ACGAN) -> list[float]:
    return [float(model.update_loss(update, Batch(REAL, LABELS), SEED)[0]) for update in model.updates]


def test_parameters_are_those_of_studiogan() -> None:
    model = build((32, 32, 3), size="paper")
    assert numbers(model.generator) == 4_304_387
    assert numbers(model.discriminator) == 1_057_159


def test_paper_is_trained_as_studiogan_says() -> None:
    options = acgan.Options(size="paper")
    assert options.model_dump() == {
        "size": "paper",
        "width": 64,
        "latent_size": 128,
        "adversarial": "hinge",
        "classifier_on": "real",
        "class_weight": 1.0,
        "generator_class_weight": 1.0,
        "normalization": "batch",
        "learning_rate": 2e-4,
        "discriminator_learning_rate": 2e-4,
        "beta_1": 0.5,
        "discriminator_steps": 5,
        "augmentation": (),
        "average_decay": 0.0,
    }
    assert acgan.Options(size="paper", width=8).width == 8
    assert parse_options(acgan.Options, options.model_dump(mode="json"), "generator.options") == options
    model = build(size="paper", width=1, latent_size=2)
    assert model.batches_per_step == 5
    assert model.average is None
    for optimizer in model.optimizers:
        settings = optimizer.get_config()
        assert [settings[key] for key in ("beta_1", "beta_2", "epsilon")] == [0.5, 0.999, 1e-6]
        assert settings["learning_rate"] == pytest.approx(2e-4)


def test_impossible_option_is_refused() -> None:
    with pytest.raises(UserError, match=r"generator\.options\.classifier_on"):
        parse_options(acgan.Options, {"classifier_on": "synthetic"}, "generator.options")


def test_hinge_losses_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores (1, 0.2) and (-0.5, 0.3): 1.3 and 0.1; classes without any opinion cost ln 10."""
    model = build(**TINY, class_weight=0.5, generator_class_weight=0.25)
    judged(monkeypatch, model, [1.0, 0.2], [-0.5, 0.3])
    assert losses(model) == pytest.approx([1.3 + 0.5 * math.log(10), 0.1 + 0.25 * math.log(10)])


def test_equation_12_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probabilities 0.8, 0.6 of real and 0.3, 0.1 of synthetic images: -L_S = 2 x 0.299001."""
    model = build(**TINY, adversarial="bce", class_weight=0.0, generator_class_weight=0.0)
    logit = lambda probability: math.log(probability / (1.0 - probability))  # noqa: E731
    judged(monkeypatch, model, [logit(0.8), logit(0.6)], [logit(0.3), logit(0.1)])
    assert losses(model) == pytest.approx([0.598001, 1.753279], abs=1e-5)


@pytest.mark.parametrize(("classifier_on", "share"), [("real", 0.0), ("real_and_synthetic", 1.0)])
def test_class_head_learns_from_real_images_or_from_both(
    monkeypatch: pytest.MonkeyPatch, classifier_on: str, share: float
) -> None:
    """Synthetic images that are named right with odds of 8 to 9 x 1, in equation 13 alone: -ln(8 / 17)."""
    model = build(**TINY, classifier_on=classifier_on, generator_class_weight=1.0)
    sure = tf.one_hot(LABELS, 10) * math.log(8.0)
    judged(monkeypatch, model, [1.0, 1.0], [-1.0, -1.0], sure)
    discriminator, generator = losses(model)
    assert discriminator == pytest.approx(math.log(10) + share * math.log(17 / 8))
    assert generator == pytest.approx(1.0 + math.log(17 / 8))


def test_accuracies(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(**TINY)
    judged(monkeypatch, model, [1.0, -1.0], [-1.0, -1.0], tf.one_hot([0, 3], 10))
    discriminator, generator = (
        {name: float(value) for name, value in model.update_loss(update, Batch(REAL, LABELS), SEED)[1].items()}
        for update in model.updates
    )
    # Of ten equal logits the first is the highest.
    assert discriminator == {"real_accuracy": 0.5, "synthetic_accuracy": 1.0, "class_accuracy": 0.5}
    assert generator == {"synthetic_class_accuracy": 0.5}


def test_real_and_synthetic_images_are_changed_by_one_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[tuple[Any, ...]] = []

    def augment(images: Any, policy: Any, seed: Any) -> Any:
        changed.append((policy, tuple(seed.numpy())))
        return images

    monkeypatch.setattr(acgan, "augment", augment)
    model = build(**TINY, augmentation=("cutout",))
    losses(model)
    policies, seeds = zip(*changed, strict=True)
    assert policies == (("cutout",),) * 3
    # The generator meets what the discriminator saw.
    synthetic, real, synthetic_again = seeds
    assert synthetic == synthetic_again != real


def test_images_are_drawn_from_the_average() -> None:
    labels, seeds = tf.constant([0, 1]), tf.constant([0, 1], tf.int64)
    for decay, is_changed in ((0.9, False), (0.0, True)):
        model = build(**TINY, average_decay=decay)
        before = model.sample(labels, seeds).numpy()
        for weight in model.generator.weights:
            weight.assign(weight + 0.5)
        assert (model.sample(labels, seeds).numpy() != before).any() == is_changed
        if model.average is not None:
            model.after_step()
            assert (model.sample(labels, seeds).numpy() != before).any()


@pytest.mark.parametrize("normalization", ["batch", "spectral", "none"])
def test_learns_to_tell_flat_images(normalization: str) -> None:
    """Bright images of class 0, dark ones of class 1: after a few steps the class head knows them."""
    model = build(**TINY, normalization=normalization, augmentation=(), discriminator_learning_rate=0.02)
    labels = tf.constant([0, 1] * 8)
    images = (1.0 - 2.0 * tf.cast(labels, tf.float32))[:, None, None, None] * tf.ones((16, 8, 8, 1))
    step = tf.function(model.improve)
    for number in range(15):
        step(model.updates[0], Batch(images, labels), tf.constant([0, number]))
    _, metrics = model.update_loss(model.updates[0], Batch(images, labels), SEED)
    assert float(metrics["class_accuracy"]) == 1.0
    assert np.isfinite(model.sample(LABELS, tf.constant([0, 1], tf.int64))).all()
