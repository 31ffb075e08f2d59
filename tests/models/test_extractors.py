"""Feature extractors: what each takes and gives, how it is named, and one sentence where it is not to be had."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand import registry
from evenhand.config import Classifier, Data, Training
from evenhand.data.decode import to_pixels
from evenhand.data.image_table import ImageTable
from evenhand.data.readable_images import open_readable
from evenhand.errors import UserError
from evenhand.evaluation.generative_scores import generative_scores
from evenhand.models.extractors import inception
from evenhand.models.feature_extractor import FeatureExtractor, extract_features, of_network, table_chunks
from evenhand.models.inception_weights import cached_weights
from evenhand.models.phase import Phase
from evenhand.models.score_images import load_extractor, score_images
from evenhand.models.serving import save_phase
from evenhand.models.train_classifier import ClassifierRun, ClassifierTraining, train_classifier
from tests.tables import noise

SHAPE = (8, 8, 1)


def no_images() -> NoReturn:
    raise AssertionError("only an extractor that is trained may ask for images")


def load(choice: str | Path, training_images: Callable[[], ImageTable] = no_images, **more: Any) -> FeatureExtractor:
    return load_extractor(str(choice), training_images, **{"image_shape": SHAPE, **more})


@pytest.fixture(scope="module")
def run() -> ClassifierRun:
    config = ClassifierTraining(classifier=Classifier(name="cnn"), training=Training(steps=3, batch_size=8))
    return train_classifier(noise(SHAPE, (12, 6, 3)), Phase(on="real"), config, steps=3)


@pytest.fixture
def model_folder(run: ClassifierRun, tmp_path: Path) -> Path:
    save_phase(run, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(autouse=True)
def _no_cached_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def test_names_of_this_version() -> None:
    assert registry.names("models.extractors") == ["classifier", "cnn", "inception", "saved_model"]


def test_cnn_has_features_and_probabilities_and_is_the_fallback_of_auto() -> None:
    table = noise(SHAPE, (20, 12))
    extractor = load("cnn", lambda: table)
    assert extractor.image_shape == SHAPE
    features, probabilities = extractor.with_probabilities(table.images)
    assert features.shape == (32, 64) and features.dtype == np.float32
    assert probabilities is not None
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert extractor.name.startswith("cnn-")
    assert load("auto", lambda: table).name == extractor.name
    assert load("cnn", lambda: table, seed=1).name != extractor.name
    with pytest.raises(ValueError, match="expected images of the shape"):
        load("cnn", lambda: table, image_shape=(9, 9, 1))


def test_cnn_of_a_single_class_learns_turns_instead() -> None:
    rng = np.random.default_rng(0)
    images = np.clip(np.linspace(0, 200, 8)[:, None, None] + rng.normal(0, 20, (60, 8, 8, 1)), 0, 255).astype(np.uint8)
    table = ImageTable(images, np.zeros(60, np.int32), np.arange(60).astype(str), ("only",))
    extractor = load("cnn", lambda: table)
    features, probabilities = extractor.with_probabilities(images)
    assert extractor.name.startswith("cnn_turns-")
    assert features.shape == (60, 64) and probabilities is None
    # Shades that run from top to bottom are told from such that run from bottom to top.
    upside_down = extractor(images[:, ::-1])
    apart = np.linalg.norm(features.mean(axis=0) - upside_down.mean(axis=0))
    assert apart > 3 * features.std(axis=0).mean()


def test_scores_are_better_for_unseen_real_images_than_for_noise() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(2, dtype=np.int32), 150)
    bars = np.zeros((300, 8, 8, 1))
    bars[:150, :, 2:4], bars[150:, 5:7] = 180, 180
    images = np.clip(bars + rng.normal(30, 20, bars.shape), 0, 255).astype(np.uint8)
    table = ImageTable(images, labels, np.arange(300).astype(str), ("upright", "lying"))
    seen = ImageTable(images[::2], labels[::2], table.ids[::2], table.class_names)
    unseen = ImageTable(images[1::2], labels[1::2], table.ids[1::2], table.class_names)
    extractor = load("cnn", lambda: seen)
    real = extract_features(extractor, seen)
    good = generative_scores(real, extract_features(extractor, unseen), table.class_names)
    bad = generative_scores(real, extract_features(extractor, noise(SHAPE, (75, 75))), table.class_names)
    rows = [
        (good.overall, bad.overall),
        *((g, b) for (_, g), (_, b) in zip(good.per_class, bad.per_class, strict=True)),
    ]
    for better, worse in rows:
        assert better.fid < worse.fid / 5
        assert better.kid < worse.kid / 5
        for measure in ("precision", "density", "coverage"):
            assert getattr(better, measure) > getattr(worse, measure) + 0.3


def test_features_are_those_of_all_images_at_once_and_fit_the_extractors_size() -> None:
    table = noise((12, 12, 3), (300, 10))
    extractor = FeatureExtractor("means", SHAPE, lambda images: (tf.reduce_mean(images, axis=1)[..., 0], None))
    found = extract_features(extractor, table)
    resized = np.stack([to_pixels(image, 8, 1) for image in table.images])
    np.testing.assert_allclose(found.values, resized.mean(axis=1)[..., 0], rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate(list(table_chunks(table, SHAPE))), resized)
    np.testing.assert_array_equal(found.labels, table.labels)
    assert found.extractor == "means"
    assert extractor(table.images[:0, :8, :8, :1]).shape == (0, 8)
    with pytest.raises(ValueError, match="no images"):
        extract_features(extractor, noise(SHAPE, (0, 0)))


def test_features_are_held_once_and_probabilities_where_they_are_asked_for() -> None:
    table = noise(SHAPE, (700, 500))
    shares = lambda images: (tf.repeat(images[:, 0, 0], 2048, axis=1), tf.ones([len(images), 3]) / 3)  # noqa: E731
    extractor = FeatureExtractor("wide", SHAPE, shares)
    tracemalloc.start()
    found = extract_features(extractor, table, with_probabilities=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.values.shape == (1200, 2048) and found.probabilities is None
    assert peak < 1.7 * found.values.nbytes
    np.testing.assert_array_equal(found.values[:, 7], table.images[:, 0, 0, 0])
    assert extract_features(extractor, table).probabilities.shape == (1200, 3)


def test_classifier_gives_what_its_last_layer_reads(run: ClassifierRun, model_folder: Path) -> None:
    table = noise(SHAPE, (5, 5, 5), seed=3)
    extractor = load(model_folder)
    features, probabilities = extractor.with_probabilities(table.images)
    np.testing.assert_allclose(probabilities, run.predict(table), rtol=1e-4, atol=1e-6)
    kernel, bias = run.model.get_layer("logits").get_weights()
    np.testing.assert_allclose(keras.ops.softmax(features @ kernel + bias), probabilities, rtol=1e-4, atol=1e-6)
    assert extractor.name.startswith("classifier_cnn-")
    assert load(model_folder).name == extractor.name


def test_classifier_needs_no_weights_that_it_once_started_from(model_folder: Path) -> None:
    description = json.loads((model_folder / "model.json").read_text())
    description["classifier"]["weights"] = "gone.h5"
    (model_folder / "model.json").write_text(json.dumps(description))
    assert load(model_folder)(noise(SHAPE, (2, 2)).images).shape == (4, 128)


@pytest.mark.parametrize("text", ["no json", "{}", '{"class_names": ["a"], "image_shape": [8, 8], "classifier": {}}'])
def test_a_folder_that_holds_no_classifier_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(UserError, match="holds no classifier that evenhand wrote"):
        load(tmp_path)


def own_network(*, rank: int = 2, names: bool = False, size: int | None = 8) -> keras.Model:
    images = keras.Input((size, size, 1))
    x = keras.layers.Conv2D(3, 3)(images)
    features = x if rank == 4 else keras.layers.GlobalAveragePooling2D()(x)
    if not names:
        return keras.Model(images, features)
    return keras.Model(images, {"features": features, "probabilities": keras.layers.Softmax()(features)})


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("kind", ["model.keras", "saved"])
def test_a_model_of_ones_own(tmp_path: Path, kind: str, names: bool) -> None:
    network = own_network(names=names)
    path = tmp_path / kind
    network.save(path) if kind.endswith(".keras") else network.export(path, verbose=False)
    images = noise(SHAPE, (70, 5)).images
    extractor = load(path)
    features, probabilities = extractor.with_probabilities(images)
    expected = network(images.astype(np.float32))
    np.testing.assert_allclose(features, expected["features"] if names else expected, rtol=1e-4, atol=1e-4)
    assert (probabilities is not None) == names
    assert extractor.name.startswith(f"{path.stem}-")
    assert load(path).name == extractor.name


def test_a_model_of_ones_own_leaves_its_size_open(tmp_path: Path) -> None:
    own_network(size=None).save(tmp_path / "open.keras")
    assert load(tmp_path / "open.keras", image_shape=(16, 16, 1)).image_shape == (16, 16, 1)


def test_a_saved_model_may_take_whole_numbers(tmp_path: Path) -> None:
    module = tf.Module()
    signature = tf.TensorSpec([None, 8, 8, 1], tf.uint8, name="pixels")
    module.call = tf.function(lambda pixels: {"sums": tf.reduce_sum(tf.cast(pixels, tf.float32), [1, 2])}, [signature])
    tf.saved_model.save(module, str(tmp_path), signatures=module.call)
    images = noise(SHAPE, (3, 2)).images
    np.testing.assert_allclose(load(tmp_path)(images), images.sum(axis=(1, 2)))


def test_models_that_make_no_features_of_images_are_refused(tmp_path: Path) -> None:
    own_network(rank=4).save(tmp_path / "maps.keras")
    keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)]).save(tmp_path / "table.keras")
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "empty").mkdir()
    for name, words in {
        "maps.keras": "gives (2, 6, 6, 3), not features [n, d]",
        "table.keras": "takes (None, 5), not images",
        "text.keras": "cannot be loaded as a Keras model",
        "empty": "is no SavedModel with the signature serving_default",
        "nowhere.keras": "there is no such model",
    }.items():
        with pytest.raises(UserError) as refused:
            load(tmp_path / name)
        assert words in str(refused.value), name
        assert str(tmp_path / name) in str(refused.value)


def test_code_in_a_keras_file_is_not_run(tmp_path: Path) -> None:
    images = keras.Input(SHAPE)
    network = keras.Model(images, keras.layers.Lambda(lambda x: x[:, :, 0, 0], output_shape=(8,))(images))
    network.save(tmp_path / "code.keras")
    with pytest.raises(UserError, match="cannot be loaded as a Keras model"):
        load(tmp_path / "code.keras")


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("inceptoin", "--extractor: unknown name 'inceptoin'; did you mean 'inception'"),
        ("classifier", "does not say which model"),
        ("saved_model", "does not say which model"),
        ("models/nowhere", "models/nowhere: there is no such model"),
        ("inception", "there is neither inception_v3_weights_tf_dim_ordering_tf_kernels.h5 nor"),
    ],
)
def test_what_is_not_to_be_had_is_one_sentence(choice: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        load(choice)
    assert words in str(refused.value)


def test_inception_is_the_first_choice_where_its_weights_are_in_the_cache(tmp_path: Path) -> None:
    cache = tmp_path / "keras" / "models"
    cache.mkdir(parents=True)
    for name in ("_notop.h5", ".h5"):  # those with the last layer come first
        cached = cache / f"inception_v3_weights_tf_dim_ordering_tf_kernels{name}"
        cached.write_bytes(b"no weights")
        assert cached_weights() == cached
    with pytest.raises(UserError, match=r"kernels\.h5: does not fit InceptionV3"):
        load("auto")


def save_as_keras_publishes(network: keras.Model, file: Path) -> None:
    """Writes weights in the layout of Keras' own files for its applications, older than `.weights.h5`."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    file.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(file, "w") as opened:
        legacy_h5_format.save_weights_to_hdf5_group(opened, network)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cached", "given"])
def test_inception_gives_the_averages_before_its_last_layer(tmp_path: Path, kind: str) -> None:
    # Random weights stand for Keras' own, which are not to be had here: network, layout and preparation are the same.
    has_top = kind == "cached"
    more = {} if has_top else {"pooling": "avg"}
    network = keras.applications.InceptionV3(weights=None, include_top=has_top, input_shape=(299, 299, 3), **more)
    if has_top:
        name = "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
        save_as_keras_publishes(network, tmp_path / "keras" / "models" / name)
        choice = "auto"
    else:
        choice = str(tmp_path / "mine_notop.weights.h5")
        network.save_weights(choice)
    extractor = load(choice)
    assert extractor.image_shape == (299, 299, 3)
    assert extractor.name.startswith("inception_v3_keras_299px-")
    assert "never with those of papers" in extractor.caution
    table = noise((16, 16, 1), (2, 1))
    found = extract_features(extractor, table)
    assert found.values.shape == (3, 2048) and (found.probabilities is not None) == has_top
    pixels = np.stack([to_pixels(image, 299, 3) for image in table.images])
    prepared = keras.applications.inception_v3.preprocess_input(pixels.astype(np.float32))
    assert prepared.min() >= -1 and prepared.max() <= 1
    if has_top:
        np.testing.assert_allclose(found.probabilities, network(prepared), rtol=1e-3, atol=1e-5)
        network = keras.Model(network.input, network.get_layer("avg_pool").output)
    np.testing.assert_allclose(found.values, network(prepared), rtol=1e-3, atol=1e-5)


def test_what_scores_must_not_be_taken_for_comes_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def cautious(*_: Any, **__: Any) -> FeatureExtractor:
        means = lambda images: (tf.reduce_mean(images, axis=(1, 2)), None)  # noqa: E731 - one line of arithmetic
        return FeatureExtractor("means", (8, 8, 3), means, caution=inception.CAUTION)

    monkeypatch.setattr(inception, "build", cautious)
    sides = [open_readable(Data(source="digits", image_size=8), name) for name in ("real", "synthetic")]
    scores = score_images(*sides, extractor="inception")
    assert scores.overall.warnings[0] == inception.CAUTION


def test_a_network_is_named_by_its_weights() -> None:
    network = own_network()
    name = of_network("own", network).name
    assert of_network("own", network).name == name
    network.set_weights([weight + 1 for weight in network.get_weights()])
    assert of_network("own", network).name != name
