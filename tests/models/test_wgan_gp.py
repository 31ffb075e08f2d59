"""`wgan_gp`: published sizes, losses by hand, and what the critic is penalised for."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from evenhand.config import parse_options
from evenhand.errors import UserError
from evenhand.models.generators import wgan_gp
from evenhand.models.networks import resnet, seeded
from evenhand.models.training.conditional_generator import Batch
from tests.tables import noise

LABELS, SEED = tf.constant([0, 1]), tf.constant([0, 0])
REAL = tf.ones((2, 8, 8, 1))
TINY: dict[str, Any] = {"width": 2, "latent_size": 4, "augmentation": ()}


def build(image_shape: tuple[int, int, int] = (8, 8, 1), **options: Any) -> wgan_gp.WassersteinGAN:
    return wgan_gp.build(wgan_gp.Options(**options), noise(image_shape, [1] * 10), seed=0)


def numbers(network: keras.Model) -> int:
    return sum(weight.value.shape.num_elements() for weight in network.trainable_weights)


def loss_of(model: wgan_gp.WassersteinGAN, name: str) -> tuple[float, dict[str, float]]:
    update = next(update for update in model.updates if update.name == name)
    loss, metrics = model.update_loss(update, Batch(REAL, LABELS), SEED)
    assert tuple(metrics) == update.metrics
    return float(loss), {name: float(value) for name, value in metrics.items()}


def with_linear_critic(monkeypatch: pytest.MonkeyPatch, model: wgan_gp.WassersteinGAN, slope: float) -> None:
    """A score of 0.3 + slope x the mean of the pixels, which for real images is 1; synthetic ones are black, -1."""
    classes = tf.one_hot(LABELS, 10) * math.log(8.0)
    monkeypatch.setattr(model, "_synthetic", lambda labels, seed: -tf.ones((2, 8, 8, 1)))
    monkeypatch.setattr(
        model, "_judge", lambda images, labels: (0.3 + slope * tf.reduce_mean(images, axis=(1, 2))[:, 0:1], classes)
    )


def test_parameters_are_those_of_the_paper() -> None:
    model = build((32, 32, 3), size="paper")
    assert numbers(model.generator) == 1_218_307
    assert numbers(model.critic) == 1_055_115
    layout = resnet.constant((32, 32, 3), 128, 128)
    headless = resnet.classifying_judge(
        (32, 32, 3),
        0,
        layout=layout,
        style=resnet.WASSERSTEIN,
        normalization="none",
        seeds=seeded.layer_seeds(0),
    )
    assert numbers(headless) == 1_053_825


def test_paper_is_trained_as_its_code_says() -> None:
    options = wgan_gp.Options(size="paper")
    assert options.model_dump() == {
        "size": "paper",
        "width": 64,
        "latent_size": 128,
        "conditioning": "class_head",
        "class_weight": 1.0,
        "generator_class_weight": 0.1,
        "penalty": 10.0,
        "critic_steps": 5,
        "generator_batches": 2,
        "learning_rate": 2e-4,
        "beta_1": 0.0,
        "beta_2": 0.9,
        "decay_steps": 100_000,
        "dequantization": True,
        "augmentation": (),
        "average_decay": 0.0,
    }
    assert wgan_gp.Options(size="paper", critic_steps=2).critic_steps == 2
    assert parse_options(wgan_gp.Options, options.model_dump(mode="json"), "generator.options") == options


def test_impossible_option_is_refused() -> None:
    with pytest.raises(UserError, match=r"generator\.options\.conditioning"):
        parse_options(wgan_gp.Options, {"conditioning": "none"}, "generator.options")


def test_critic_loss_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slope of s over 64 pixels' mean has a gradient of length s / 8; s = 16: 10 (2 - 1)^2 - 32 - ln(8 / 17) / 2."""
    model = build(**TINY, class_weight=0.5)
    with_linear_critic(monkeypatch, model, 16.0)
    loss, metrics = loss_of(model, "critic")
    assert loss == pytest.approx(10.0 - 32.0 + 0.5 * math.log(17 / 8), abs=1e-4)
    assert metrics == pytest.approx({"critic_gap": 32.0, "class_accuracy": 1.0})


def test_constant_critic_costs_the_penalty_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(**TINY, class_weight=0.0)
    with_linear_critic(monkeypatch, model, 0.0)
    assert loss_of(model, "critic")[0] == pytest.approx(10.0, abs=1e-4)


def test_generator_loss_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minus the score of a black image, 0.3 - 16, and a tenth of -ln(8 / 17); no penalty."""
    model = build(**TINY, generator_class_weight=0.1)
    with_linear_critic(monkeypatch, model, 16.0)
    loss, metrics = loss_of(model, "generator")
    assert loss == pytest.approx(15.7 + 0.1 * math.log(17 / 8), abs=1e-4)
    assert metrics == pytest.approx({"synthetic_class_accuracy": 1.0})


def test_class_head_learns_from_real_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Absurd class logits of synthetic images leave the critic's loss as it is."""
    model = build(**TINY)
    judge, values = model._judge, []
    for factor in (1.0, 1e6):

        def judged(images: Any, labels: Any, factor: float = factor) -> tuple[Any, Any]:
            scores, classes = judge(images, labels)
            assert classes is not None
            return scores, classes if images is REAL else factor * classes

        monkeypatch.setattr(model, "_judge", judged)
        values.append(loss_of(model, "critic")[0])
    assert values[0] == values[1]


def test_all_images_are_judged_with_the_labels_of_the_real_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(**TINY, conditioning="projection", generator_batches=2)
    seen: list[list[int]] = []
    judge = model._judge

    def judged(images: Any, labels: Any) -> Any:
        seen.append(labels.numpy().tolist())
        return judge(images, labels)

    monkeypatch.setattr(model, "_judge", judged)
    assert loss_of(model, "critic")[1].keys() == {"critic_gap"}
    # Real, synthetic, and those between.
    assert seen == [[0, 1]] * 3
    assert loss_of(model, "generator")[1] == {}
    assert seen[3] == [0, 1, 0, 1]


def test_generator_meets_images_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those that the critic was just trained on; a second batch of them is not the first again."""
    model = build(**TINY, generator_batches=2)
    drawn: list[Any] = []
    synthetic = model._synthetic

    def kept(labels: Any, seed: Any) -> Any:
        drawn.append(synthetic(labels, seed))
        return drawn[-1]

    monkeypatch.setattr(model, "_synthetic", kept)
    for update in model.updates:
        model.update_loss(update, Batch(REAL, LABELS), SEED)
    critics, generators = (images.numpy() for images in drawn)
    assert critics.shape[0] == 2
    assert generators.shape[0] == 4
    assert (critics != generators[:2]).any()
    assert (generators[:2] != generators[2:]).any()


def test_critic_takes_several_steps_with_images_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(**TINY, critic_steps=3)
    assert model.batches_per_step == 3
    turns: list[tuple[str, float]] = []
    monkeypatch.setattr(
        model, "improve", lambda update, batch, seed: turns.append((update.name, float(batch.images[0, 0, 0, 0])))
    )
    images = tf.repeat(tf.constant([0.0, 127.5, 255.0]), 2)[:, None, None, None] * tf.ones((6, 8, 8, 1))
    model.train_step((images, tf.zeros(6, tf.int32)))
    assert turns == [("critic", -1.0), ("critic", 0.0), ("critic", 1.0), ("generator", -1.0)]


def test_learning_rate_falls_to_zero_in_training_steps() -> None:
    model = build(**TINY, critic_steps=5, decay_steps=100, learning_rate=0.5)
    critic, generator = model.optimizers
    rates = []
    for done in (0, 50, 100, 150):
        critic.iterations.assign(5 * done)
        generator.iterations.assign(done)
        rates.append([float(ops.convert_to_numpy(each.learning_rate)) for each in (critic, generator)])
    np.testing.assert_allclose(rates, [[0.5, 0.5], [0.25, 0.25], [0.0, 0.0], [0.0, 0.0]], atol=1e-6)
    assert [critic.get_config()[key] for key in ("beta_1", "beta_2")] == [0.0, 0.9]


def test_dequantised_levels_fill_the_range() -> None:
    """Level 0 becomes -1 to -127/128, level 255 127/128 to 1."""
    levels = tf.constant([0.0, 128.0, 255.0])[:, None, None, None] * tf.ones((3, 20, 20, 1)) / 127.5 - 1.0
    spread = wgan_gp.dequantized(levels, SEED).numpy().reshape(3, -1)
    for values, lowest in zip(spread, (-1.0, 0.0, 127 / 128), strict=True):
        assert lowest - 1e-6 <= values.min() < lowest + 0.001
        assert lowest + 0.0068 < values.max() <= lowest + 1 / 128 + 1e-6


def test_only_real_images_are_dequantised(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def kept(images: Any, seed: Any) -> Any:
        given.append(images)
        return images

    monkeypatch.setattr(wgan_gp, "dequantized", kept)
    loss_of(build(**TINY), "critic")
    assert given == []
    model = build(**TINY, dequantization=True)
    loss_of(model, "generator")
    assert given == []
    loss_of(model, "critic")
    assert len(given) == 1
    assert given[0] is REAL


@pytest.mark.parametrize("conditioning", ["class_head", "projection"])
def test_critic_learns_the_gap_between_bright_and_dark(conditioning: str) -> None:
    model = build(**TINY, conditioning=conditioning, learning_rate=0.01)
    step = tf.function(model.improve)
    batch = Batch(tf.ones((8, 8, 8, 1)), tf.constant([0, 1] * 4))
    critic = model.updates[0]
    before = float(model.update_loss(critic, batch, SEED)[1]["critic_gap"])
    for number in range(15):
        step(critic, batch, tf.constant([0, number]))
    loss, metrics = model.update_loss(critic, batch, SEED)
    assert float(metrics["critic_gap"]) > before + 1.0
    assert np.isfinite(float(loss))
