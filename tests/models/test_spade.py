"""`spade`: sizes and losses worked by hand, that the pose counts, and that generators travel between data sets."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand.config import Generator, RunConfig, parse_options
from evenhand.data.image_table import ImageTable
from evenhand.data.pose_variation import Jitter
from evenhand.errors import UserError
from evenhand.models import train_generator as training
from evenhand.models.banks.pose_bank import DRAWN_SIZE, PoseBank
from evenhand.models.generator_artifact import load_sampler, save_generator
from evenhand.models.generators import _perceptual, spade
from evenhand.models.generators._spade_judging import Judged, Pair, augment_alike
from evenhand.models.generators._spade_losses import feature_matching
from evenhand.models.losses import data_to_data
from evenhand.models.networks import seeded
from evenhand.models.networks.spade import SpatialNormalization, generator_network
from evenhand.models.networks.spade_judges import patch_judge, pose_judge
from evenhand.models.preflight import check_models
from evenhand.models.train_generator import GeneratorRun, train_generator
from evenhand.models.training.conditional_generator import Batch
from evenhand.models.training.differentiable_augmentation import augment
from evenhand.models.training.generator_training import Trained
from tests.tables import noise

TINY: dict[str, Any] = {
    "width": 2, "hidden": 4, "latent_size": 4, "discriminator_width": 4, "scales": 1, "embedding_size": 8,
}  # fmt: skip
STILL = Jitter(rotation=0, scale=0, shift=0, joint=0)


def hands(number: int, seed: int = 0) -> np.ndarray:
    keypoints = np.random.default_rng(seed).uniform(0.1, 0.9, (number, 21, 3)).astype(np.float32)
    return np.maximum(keypoints, [0, 0, 0.5]).astype(np.float32)


def table(
    counts: tuple[int, ...] = (5, 3, 1), image_shape: tuple[int, int, int] = (8, 8, 1), seed: int = 0
) -> ImageTable:
    return dataclasses.replace(noise(image_shape, counts, seed=seed), keypoints=hands(sum(counts), seed))


def build(images: ImageTable | None = None, **options: Any) -> spade.SPADE:
    return spade.build(spade.Options(**{**TINY, **options}), images or table(), seed=0)


def take_a_step(model: spade.SPADE, images: ImageTable) -> dict[str, float]:
    """One training step, without tracing it; the means of what it logs."""
    assert images.keypoints is not None
    logs = model.train_step((images.images, images.labels, images.keypoints))
    return {name: float(value) for name, value in logs.items()}


def saved(model: spade.SPADE, folder: Path) -> str:
    run = GeneratorRun(model, "spade", model.options, seed=0, steps=1, seconds=0.0, history=(), device={})
    save_generator(run, folder, class_names=tuple("abc"[: model.num_classes]))
    return str(folder)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> tuple[spade.SPADE, str]:
    """A generator that knows no labels, trained a little on other images, and the folder that holds it."""
    images = table((4, 4), seed=1)
    model = build(images, labels=False)
    take_a_step(model, images)
    return model, saved(model, tmp_path_factory.mktemp("other") / "generator")


# ------------------------------------------------------------------------------------------------ networks


def test_parameters_of_the_normalisation_are_those_of_the_paper() -> None:
    layer = SpatialNormalization(128)
    layer.build([(None, 8, 8, 64), (None, 8, 8, 21)])
    assert sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights) == 171_904


@pytest.mark.parametrize(("kind", "axes"), [("batch", (0, 1, 2)), ("instance", (1, 2))])
def test_without_gamma_and_beta_it_is_plain_normalisation(kind: Any, axes: tuple[int, ...]) -> None:
    layer = SpatialNormalization(4, kind=kind)
    images = np.random.default_rng(0).normal(2.0, 3.0, (16, 6, 6, 5)).astype(np.float32)
    maps = np.random.default_rng(1).uniform(size=(16, 6, 6, 3)).astype(np.float32)
    condition = np.ones((16, 2), np.float32)
    layer([images, maps, condition])
    for part in (layer.gamma_beta, layer.gain_bias):
        part.set_weights([np.zeros(weight.shape) for weight in part.weights])
    normal = layer([images, maps, condition], training=True).numpy()
    mean, variance = images.mean(axes, keepdims=True), images.var(axes, keepdims=True)
    np.testing.assert_allclose(normal, (images - mean) / np.sqrt(variance + 1e-5), rtol=1e-3, atol=1e-4)


def test_an_empty_map_modulates_all_places_alike() -> None:
    layer = SpatialNormalization(4, kind="batch", seed=1)
    images = np.random.default_rng(0).normal(size=(1, 7, 7, 3)).astype(np.float32)
    image = np.repeat(np.repeat(images[:, :1, :1], 7, 1), 7, 2)
    moved = layer([image, np.zeros((1, 7, 7, 5), np.float32)]).numpy()
    inside = moved[:, 2:-2, 2:-2]
    np.testing.assert_allclose(inside, np.broadcast_to(inside[:, :1, :1], inside.shape), atol=1e-6)


def test_gamma_beta_gain_and_bias_by_hand() -> None:
    layer = SpatialNormalization(1, kind="batch")
    images, maps, condition = np.full((1, 3, 3, 1), 2.0), np.zeros((1, 3, 3, 1)), np.asarray([[10.0]])
    layer([images, maps, condition])
    layer.gamma_beta.set_weights([np.zeros((3, 3, 1, 2)), np.asarray([0.5, 3.0])])
    layer.gain_bias.set_weights([np.asarray([[0.1, 0.2]]), np.zeros(2)])
    # Fresh running statistics, mean 0 and variance 1: 2 * (1 + 0.5 + 1) + 3 + 2.
    np.testing.assert_allclose(layer([images, maps, condition]), 10.0, rtol=1e-4)


@pytest.mark.parametrize(
    ("size", "num_layers", "sizes"),
    [(64, 4, [33, 17, 9, 10, 11]), (32, 4, [17, 9, 5, 6, 7]), (128, 4, [65, 33, 17, 18, 19]), (32, 3, [17, 9, 10, 11])],
)
def test_patch_judge_has_the_sizes_of_the_paper(size: int, num_layers: int, sizes: list[int]) -> None:
    judge = patch_judge(
        (size, size, 3), 21, num_classes=0, width=64, num_layers=num_layers, seeds=seeded.layer_seeds(0)
    )
    assert [output.shape[1] for output in judge.outputs] == sizes
    assert [output.shape[3] for output in judge.outputs] == [*[64, 128, 256, 512][:num_layers], 1]
    if num_layers == 4:
        assert sum(int(np.prod(weight.shape)) for weight in judge.trainable_weights) == 2_785_345


@pytest.mark.parametrize(
    ("image_shape", "start"), [((28, 28, 1), 7), ((32, 32, 3), 4), ((64, 64, 3), 4), ((12, 20, 3), 3)]
)
def test_generator_fits_any_size(image_shape: tuple[int, int, int], start: int) -> None:
    network = generator_network(
        image_shape, 21, latent_size=3, num_classes=0, width=1, hidden=2, kind="batch", seeds=seeded.layer_seeds(0)
    )
    assert network.output_shape == (None, *image_shape)
    first = next(layer for layer in network.layers if isinstance(layer, keras.layers.Reshape))
    assert first.output.shape[1] == start
    # The first block is as wide as the map is deep: 1, 2, 4, 8 and no more.
    doublings = {28: 2, 32: 3, 64: 4, 20: 2}[max(image_shape[:2])]
    assert first.output.shape[3] == min(2**doublings, 8)


def test_changing_the_pose_changes_score_and_image_but_no_embedding() -> None:
    judge = pose_judge((8, 8, 1), 21, width=4, embedding_size=6, seeds=seeded.layer_seeds(0))
    image, maps = (
        np.random.default_rng(0).normal(size=(2, 8, 8, 1)),
        np.random.default_rng(1).uniform(size=(2, 8, 8, 21)),
    )
    (score, embedding), (other_score, same_embedding) = judge([image, maps]), judge([image, maps[::-1]])
    np.testing.assert_array_equal(embedding, same_embedding)
    assert np.abs(score - other_score).max() > 1e-3
    model, poses, seeds = build(), hands(2), tf.zeros(2, tf.int64)
    images = model.sample_poses(poses, tf.zeros(2, tf.int32), seeds).numpy()
    assert np.abs(images[0] - images[1]).max() > 1e-2


# ------------------------------------------------------------------------------------------------ losses


def test_feature_matching_by_hand() -> None:
    one, other = (
        [[tf.zeros((2, 2)), tf.ones(3)], [tf.zeros(1), tf.ones(2)]],
        [[tf.ones((2, 2)), tf.ones(3)], [tf.zeros(1), tf.fill([2], 4.0)]],
    )
    assert float(feature_matching(one, other)) == pytest.approx((1.0 + 3.0) / 2)
    assert float(feature_matching(one, one)) == 0.0


def test_losses_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores (1.0, 0.2) of real and (-0.5, 0.3) of synthetic images: hinge 1.3 and 0.1."""
    model = build(discriminator_loss="d2d_ce", feature_matching=10.0, d2d_weight=0.5)
    score = Pair(tf.constant([1.0, 0.2]), tf.constant([-0.5, 0.3]))
    features = Pair([[tf.zeros(2)]], [[tf.ones(2)]])
    judged = Judged([score, Pair(score.real * 0 + 2.0, score.real * 0 - 2.0)], features, Pair("real", "synthetic"))
    monkeypatch.setattr(model.judges, "judge", lambda *arguments: judged)
    monkeypatch.setattr(model.judges, "cross_entropy", lambda which, batch: {"real": 3.0, "synthetic": 5.0}[which])
    batch, seed = Batch(tf.zeros((2, 8, 8, 1)), tf.constant([0, 1]), tf.constant(hands(2))), tf.constant([0, 0])
    discriminator, generator = model.updates
    loss, metrics = model.update_loss(discriminator, batch, seed)
    assert float(loss) == pytest.approx(1.3 / 2 + 0.5 * 3.0)
    assert {name: float(value) for name, value in metrics.items()} == pytest.approx(
        {"real_accuracy": 1.0, "synthetic_accuracy": 0.75, "d2d": 3.0}
    )
    loss, metrics = model.update_loss(generator, batch, seed)
    assert float(loss) == pytest.approx((0.1 + 2.0) / 2 + 10.0 + 0.5 * 5.0)
    assert float(metrics["feature_matching"]) == 1.0


def test_proxies_of_classes_are_spectrally_normalised_and_start_orthogonal() -> None:
    judges = build(discriminator_loss="d2d_ce").judges
    for _ in range(30):
        table = judges.proxies(np.arange(judges.proxies.input_dim), training=True).numpy()
    np.testing.assert_allclose(table @ table.T, np.eye(len(table)), atol=1e-3)


def test_without_weight_the_loss_is_that_of_the_scores_alone() -> None:
    model = build(discriminator_loss="d2d_ce", d2d_weight=0.0)
    batch, seed = Batch(tf.zeros((4, 8, 8, 1)), tf.constant([0, 1, 0, 1]), tf.constant(hands(4))), tf.constant([0, 0])
    loss, metrics = model.update_loss(model.updates[0], batch, seed)
    model.options = model.options.model_copy(update={"d2d_weight": 1.0})
    assert float(metrics["d2d"]) > 0.0
    assert float(model.update_loss(model.updates[0], batch, seed)[0] - loss) == pytest.approx(
        float(metrics["d2d"]), rel=0.01
    )


def test_an_image_at_its_anchor_without_a_negative_costs_nothing_and_a_negative_costs_what_it_resembles() -> None:
    embeddings = tf.random.stateless_normal((6, 4), (0, 1))
    assert float(data_to_data(embeddings, embeddings, tf.zeros((6, 6), bool))) == pytest.approx(0.0, abs=1e-6)
    pair, far = tf.constant([[1.0, 0.0], [0.6, 0.8]]), ~tf.eye(2, dtype=tf.bool)
    # Both at their anchors; their cosine is 0.6, so the push is (0.6 - 0.02) / 0.5 on either.
    by_hand = np.log(1.0 + np.exp(0.58 / 0.5))
    assert float(data_to_data(pair, pair, far)) == pytest.approx(by_hand, rel=1e-6)


def test_images_and_their_pose_move_alike_and_only_images_change_colour() -> None:
    image = tf.random.stateless_uniform((4, 8, 8, 3), (0, 1), -1.0, 1.0)
    seed = tf.constant([3, 4])
    one, same, maps = augment_alike([image, image], image, ("translation", "cutout"), seed)
    np.testing.assert_array_equal(one, maps)
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - image).max() > 0.1
    one, _, maps = augment_alike([image, image], image, ("color",), seed)
    np.testing.assert_array_equal(maps, image)
    np.testing.assert_allclose(one, augment(image, ("color",), seed), rtol=1e-6)
    assert all(np.array_equal(part, image) for part in augment_alike([image, image], image, (), seed))


def test_perceptual_distance_by_hand() -> None:
    zeros, ones = [tf.zeros(2)] * 5, [tf.ones(2)] * 5
    assert float(_perceptual.weighted_distance(zeros, ones)) == pytest.approx(1 + 1 / 4 + 1 / 8 + 1 / 16 + 1 / 32)
    assert float(_perceptual.weighted_distance(ones, ones)) == 0.0


def test_perceptual_weights_that_are_missing_or_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        build(perceptual_weights=str(tmp_path / "none.h5"))
    with pytest.raises(UserError, match=r"perceptual_weights: there is no file"):
        spade.fingerprint(spade.Options(perceptual_weights=str(tmp_path / "none.h5")))
    (tmp_path / "vgg.weights.h5").write_bytes(b"nothing")
    with pytest.raises(UserError, match="does not fit VGG19"):
        build(perceptual_weights=str(tmp_path / "vgg.weights.h5"))


# ------------------------------------------------------------------------------------------------ poses


def test_the_bank_draws_poses_of_the_class() -> None:
    images = table((5, 3, 1))
    assert images.keypoints is not None
    images.keypoints[6] = 0  # an image of class b without a hand
    bank = PoseBank(images)
    labels = np.repeat(np.arange(3, dtype=np.int32), 200)
    numbers = np.random.default_rng(0).normal(size=(600, DRAWN_SIZE)).astype(np.float32)
    poses = bank.draw(labels, numbers, interpolates=False, strength=STILL).numpy()
    for label, rows in enumerate(([0, 1, 2, 3, 4], [5, 7], [8])):
        drawn = poses[labels == label][:, None]
        nearest = np.abs(drawn - images.keypoints[rows][None]).max((2, 3))
        np.testing.assert_allclose(nearest.min(1), 0.0, atol=1e-6)
        share = np.bincount(nearest.argmin(1), minlength=len(rows)) / 200
        np.testing.assert_allclose(share, 1 / len(rows), atol=0.12)
    between = bank.draw(labels, numbers, interpolates=True, strength=STILL).numpy()[labels == 1]
    low, high = images.keypoints[[5, 7]].min(0), images.keypoints[[5, 7]].max(0)
    assert ((between >= low - 1e-5) & (between <= high + 1e-5)).all()
    assert between[:, 0, 0].std() > 0.1 * (high - low)[0, 0]
    alone = bank.draw(labels[-1:], numbers[-1:], interpolates=True, strength=Jitter()).numpy()
    assert 1e-4 < np.abs(alone[0, :, :2] - images.keypoints[8, :, :2]).max() < 0.5


def test_between_a_pose_and_its_mirror_image_nothing_is_drawn() -> None:
    images = table((2, 1))
    assert images.keypoints is not None
    images.keypoints[1] = images.keypoints[0]
    images.keypoints[1, :, 0] = 1.0 - images.keypoints[0, :, 0]
    numbers = np.random.default_rng(0).normal(size=(200, DRAWN_SIZE)).astype(np.float32)
    poses = PoseBank(images).draw(np.zeros(200, np.int32), numbers, interpolates=True, strength=STILL).numpy()
    apart = np.abs(poses[:, None] - images.keypoints[None, :2]).max((2, 3))
    np.testing.assert_allclose(apart.min(1), 0.0, atol=1e-6)
    assert set(apart.argmin(1)) == {0, 1}


def test_no_image_without_a_hand_is_learnt_or_held_against(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    images, held_out = table((5, 3, 1)), table((2, 2, 2), seed=1)
    assert images.keypoints is not None and held_out.keypoints is not None
    images.keypoints[[1, 6]] = 0
    held_out.keypoints[0] = 0
    seen: list[ImageTable] = []

    class Recorder:
        def __init__(self, model: Any, *given: Any) -> None:
            seen.extend(given[:2])

        def run(self) -> Trained:
            return Trained([], None, 0.0)

    monkeypatch.setattr(training, "GeneratorTraining", Recorder)
    train_generator(images, Generator(name="spade", options=TINY, steps=1), held_out=held_out)
    assert [list(each.ids) for each in seen] == [list("0234578"), list("12345")]
    np.testing.assert_array_equal(seen[0].images, images.images[[0, 2, 3, 4, 5, 7, 8]])
    assert "2 of 9 images are left out" in caplog.records[0].getMessage()
    # Others learn from all images.
    train_generator(images, Generator(name="cgan", steps=1), held_out=held_out)
    assert seen[2] is images and seen[3] is held_out


def test_missing_key_points_are_told() -> None:
    with pytest.raises(UserError, match=r"data\.keypoints: is null"):
        build(noise((8, 8, 1), (2, 2)))
    images = table((2, 2))
    assert images.keypoints is not None
    images.keypoints[2:] = 0
    with pytest.raises(UserError, match="no hand was found in any training image of class 'b'"):
        build(images)
    with pytest.raises(UserError, match=r"data\.keypoints: is null, and spade draws from poses"):
        check_models(RunConfig(generator=Generator(name="spade")))


@pytest.mark.parametrize("labels", [True, False])
def test_latents_and_labels_count(labels: bool) -> None:
    model = build(labels=labels)
    poses = np.repeat(hands(1), 3, axis=0)
    images = model.sample_poses(poses, tf.constant([0, 0, 1]), tf.constant([1, 2, 1], tf.int64)).numpy()
    assert np.abs(images[0] - images[1]).mean() > 0.01
    assert (np.abs(images[0] - images[2]).mean() > 0.01) == labels


# ------------------------------------------------------------------------------------------------ training


@pytest.mark.parametrize(
    "options",
    [
        {"discriminator_loss": "d2d_ce"},
        {"discriminator_loss": "d2d_ce", "labels": False},
        {"bones": True, "augmentation": ["color"]},
    ],
)
def test_every_arm_trains(options: dict[str, Any]) -> None:
    images = table(image_shape=(8, 8, 3))
    model = build(images, **options)
    before = model.generator.get_weights()
    logs = take_a_step(model, images)
    assert all(np.isfinite(value) for value in logs.values())
    assert ("d2d" in logs) == ("discriminator_loss" in options)
    assert any((one != two).any() for one, two in zip(before, model.generator.get_weights(), strict=True))


def test_a_generator_of_another_data_set_draws_the_poses_of_this_one(other: tuple[spade.SPADE, str]) -> None:
    source, folder = other
    poses, labels, seeds = hands(4, seed=5), tf.constant([0, 1, 2, 2]), tf.range(4, dtype=tf.int64)
    expected = source.sample_poses(poses, labels, seeds).numpy()
    config = Generator(name="spade", options={**TINY, "labels": False, "initial": folder, "fine_tune": False})
    model = train_generator(table(), config).model
    assert model.steps_done == 0 and not model.updates and model.num_classes == 3
    np.testing.assert_array_equal(model.sample_poses(poses, labels, seeds), expected)
    np.testing.assert_array_equal(model.bank.poses, table().keypoints)
    index = Path(folder).parent / "artifacts.json"
    index.write_text(json.dumps({"GeneratorTrainer/generator": "generator"}))
    tuned = build(labels=False, initial=str(index.parent))
    np.testing.assert_array_equal(tuned.sample_poses(poses, labels, seeds), expected)
    for weight, average in zip(tuned.generator.weights, source.average.network.weights, strict=True):
        np.testing.assert_array_equal(weight, average)
    take_a_step(tuned, table())
    assert np.abs(tuned.sample_poses(poses, labels, seeds) - expected).max() > 0


def test_a_generator_that_does_not_fit_is_told(other: tuple[spade.SPADE, str], tmp_path: Path) -> None:
    labelled = saved(build(), tmp_path / "labelled")
    for folder, images, options, sentence in (
        (str(tmp_path), table(), {}, "holds no generator"),
        (labelled, table(), {}, "draws classes, not poses alone"),
        (other[1], table(image_shape=(12, 12, 1)), {}, "8x8x1 and 12x12x1"),
        (other[1], table(), {"width": 3}, "has other networks"),
    ):
        with pytest.raises(UserError, match=sentence):
            build(images, labels=False, initial=folder, **options)
    for index in ("{", "[]", '{"GeneratorTrainer/generator": 1}'):
        (tmp_path / "artifacts.json").write_text(index)
        with pytest.raises(UserError, match=r"generator\.options\.initial: .*artifacts\.json is no list"):
            spade.fingerprint(spade.Options(labels=False, initial=str(tmp_path)))
    (tmp_path / "artifacts.json").unlink()
    (tmp_path / "generator.json").write_text("{")
    with pytest.raises(UserError, match=r"generator\.json: describes no generator"):
        spade.fingerprint(spade.Options(labels=False, initial=str(tmp_path)))
    with pytest.raises(UserError, match="initial needs labels: false"):
        parse_options(spade.Options, {"initial": "x"}, "generator.options")


def test_a_saved_generator_draws_given_poses(other: tuple[spade.SPADE, str]) -> None:
    model, folder = other
    poses, labels, seeds = hands(3, seed=2), np.zeros(3, np.int32), np.arange(3, dtype=np.int64)
    images = load_sampler(folder).draw_poses(poses, labels, seeds)
    expected = (model.sample_poses(poses, labels, tf.constant(seeds)).numpy() + 1.0) * 127.5
    assert images.dtype == np.uint8 and images.shape == (3, 8, 8, 1)
    np.testing.assert_allclose(images, expected, atol=0.51)


def test_the_files_that_options_name_are_part_of_what_it_depends_on(
    other: tuple[spade.SPADE, str], tmp_path: Path
) -> None:
    assert spade.fingerprint(spade.Options()) == ""
    first = spade.fingerprint(spade.Options(labels=False, initial=other[1]))
    assert first == spade.fingerprint(spade.Options(labels=False, initial=other[1]))
    assert first != spade.fingerprint(spade.Options(labels=False, initial=saved(build(labels=False), tmp_path / "new")))
    weights = tmp_path / "vgg.h5"
    seen = set()
    for content in (b"one", b"two"):
        weights.write_bytes(content)
        seen.add(spade.fingerprint(spade.Options(perceptual_weights=str(weights))))
    assert len(seen) == 2
