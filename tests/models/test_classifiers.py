"""Every classifier of the registry: shapes, seeds, grey and small images, weights files."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from evenhand import registry
from evenhand.errors import UserError

NAMES = registry.names("models.classifiers")
SMALL = ["cnn", "efficientnetv2-b0", "resnet50"]


def build(name, *, image_shape=(32, 32, 3), num_classes=5, weights=None, seed=0, **options):
    module = registry.load("models.classifiers", name)
    return module.build(
        module.Options(**options),
        variant=registry.variant("models.classifiers", name),
        image_shape=image_shape,
        num_classes=num_classes,
        weights=weights,
        seed=seed,
    )


def pixels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype("float32")


def values(model):
    return [variable.numpy() for variable in model.variables]


def test_names():
    variants = [f"efficientnetv2-{size}" for size in ("b0", "b1", "b2", "b3", "l", "m", "s")]
    assert sorted(["cnn", "resnet50", *variants]) == NAMES


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in SMALL else pytest.mark.slow) for n in NAMES])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_become_finite_float32_logits(name, channels):
    model = build(name, image_shape=(32, 32, channels), num_classes=7)
    logits = model(pixels(2, 32, 32, channels))
    assert logits.shape == (2, 7)
    assert logits.dtype == "float32"
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("name", SMALL)
def test_the_seed_alone_decides_the_weights(name):
    first, again, other = values(build(name)), values(build(name)), values(build(name, seed=1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_building_leaves_pythons_random_numbers_alone():
    import random

    random.seed(5)
    expected = random.random()
    random.seed(5)
    build("cnn", seed=3)
    assert random.random() == expected


@pytest.mark.parametrize("name", ["efficientnetv2-b0", "resnet50"])
def test_small_images_are_enlarged_inside(name):
    model = build(name, image_shape=(12, 12, 1))
    assert model.get_layer("enlarge").output.shape == (None, 32, 32, 3)
    assert np.isfinite(model(pixels(1, 12, 12, 1))).all()
    larger = build(name, image_shape=(32, 32, 3), minimum_size=64)
    assert larger.get_layer("enlarge").output.shape == (None, 64, 64, 3)
    assert "enlarge" not in [layer.name for layer in build(name).layers]


def test_grey_is_the_same_as_equal_colours():
    grey, colour = build("efficientnetv2-b0", image_shape=(32, 32, 1)), build("efficientnetv2-b0")
    images = pixels(2, 32, 32, 1)
    np.testing.assert_allclose(grey(images), colour(np.repeat(images, 3, axis=-1)), atol=1e-5)


def test_cnn_has_the_parameters_of_s3():
    model = build("cnn", image_shape=(28, 28, 1), num_classes=10)
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert trainable == 454_042


def test_resnet50_takes_pixels_as_keras_applications_prepares_them():
    module = registry.load("models.classifiers", "resnet50")
    images = pixels(2, 4, 4, 3)
    expected = keras.applications.resnet50.preprocess_input(images.copy())
    np.testing.assert_allclose(module.ImageNetPixels()(images), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["efficientnetv2-b0", "resnet50"])
def test_batch_norm_keeps_up_with_short_trainings(name):
    layers = [x for x in build(name)._flatten_layers() if isinstance(x, keras.layers.BatchNormalization)]
    assert layers
    assert {layer.momentum for layer in layers} == {0.9}


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_a_local_weights_file_is_loaded(tmp_path, suffix):
    source = build("cnn", seed=4)
    path = tmp_path / f"model{suffix}"
    source.save_weights(path) if suffix == ".weights.h5" else source.save(path)
    loaded = build("cnn", weights=str(path))
    assert all(np.array_equal(a, b) for a, b in zip(source.get_weights(), loaded.get_weights(), strict=True))


def test_unusable_weights_are_refused_in_words(tmp_path):
    path = tmp_path / "other.weights.h5"
    build("cnn", num_classes=9).save_weights(path)
    text = tmp_path / "notes.txt"
    text.write_text("no weights")
    broken = tmp_path / "broken.weights.h5"
    broken.write_text("no weights")
    for weights, problem in [
        (path, "does not fit"),
        (broken, "does not fit"),
        (tmp_path / "none.keras", "no file"),
        (text, "neither"),
        ("imagenet", "no ImageNet weights"),
    ]:
        with pytest.raises(UserError, match=problem):
            build("cnn", weights=str(weights))


@pytest.mark.parametrize("name", SMALL)
def test_saved_is_loaded(name, tmp_path: Path):
    model = build(name, image_shape=(32, 32, 1))
    model.save(tmp_path / "model.keras")
    images = pixels(2, 32, 32, 1)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(images), model(images), atol=1e-5)
