"""The exported classifier: what it answers to files, examples and tables, and what it leaves on disk."""

from __future__ import annotations

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from evenhand.config import Classifier, Training
from evenhand.data import decode
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models import serving
from evenhand.models.phase import Phase
from evenhand.models.serving_images import decode_image_file
from evenhand.models.train_classifier import ClassifierTraining, train_classifier

NAMES = ("circle", "été", "square")


@pytest.fixture(scope="module", params=[1, 3])
def exported(request, tmp_path_factory):
    channels = request.param
    rng = np.random.default_rng(0)
    table = ImageTable(
        images=rng.integers(0, 256, (20, 16, 16, channels), np.uint8),
        labels=np.arange(20, dtype=np.int32) % 3,
        ids=np.array([str(i) for i in range(20)]),
        class_names=NAMES,
    )
    config = ClassifierTraining(classifier=Classifier(name="cnn"), training=Training(batch_size=8))
    run = train_classifier(table, Phase(on="real"), config, steps=5)
    folder = tmp_path_factory.mktemp("serving") / "model"
    serving.export_classifier(run, folder)
    return run, table, folder


def smooth_picture(height: int, width: int) -> np.ndarray:
    """A photograph-like uint8[h, w, 3]: JPEG and resizing agree best where nothing is sharp."""
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    return np.stack([255 * x, 255 * y, 127 + 127 * np.sin(5 * x + 3 * y)], axis=-1).astype(np.uint8)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def test_saved_model_keras_model_and_run_agree(exported):
    run, table, folder = exported
    expected = run.predict(table)
    loaded = serving.load_classifier(folder)
    assert loaded.class_names == NAMES
    assert loaded.image_shape == table.image_shape
    np.testing.assert_allclose(loaded.predict_table(table), expected, atol=1e-6)
    logits = keras.models.load_model(folder / "model.keras").predict(table.images.astype("float32"), verbose=0)
    np.testing.assert_allclose(keras.ops.softmax(logits), expected, atol=1e-6)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-5)


def test_default_signature_takes_files_and_names_classes(exported):
    run, table, folder = exported
    files = [decode.encode_png(image) for image in table.images]
    answer = tf.saved_model.load(str(folder)).signatures["serving_default"](image_bytes=tf.constant(files))
    assert set(answer) == {"probabilities", "class_index", "class_name"}
    np.testing.assert_allclose(answer["probabilities"], run.predict(table), atol=1e-6)
    assert answer["class_index"].dtype == tf.int64
    chosen = np.argmax(answer["probabilities"], axis=1)
    np.testing.assert_array_equal(answer["class_index"], chosen)
    assert [name.decode() for name in answer["class_name"].numpy()] == [NAMES[index] for index in chosen]


def test_examples_signature_takes_serialized_examples(exported):
    run, table, folder = exported
    examples = [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[decode.encode_png(image)]))
                }
            )
        ).SerializeToString()
        for image in table.images
    ]
    answer = tf.saved_model.load(str(folder)).signatures["examples"](examples=tf.constant(examples))
    assert set(answer) == {"probabilities"}
    np.testing.assert_allclose(answer["probabilities"], run.predict(table), atol=1e-6)


def test_predict_bytes_takes_images_of_any_size(exported):
    run, table, folder = exported
    loaded = serving.load_classifier(folder)
    files = [encoded(Image.fromarray(smooth_picture(*size)), "PNG") for size in ((40, 30), (7, 90), (16, 16))]
    channels = table.image_shape[2]
    pixels = np.stack([decode.to_pixels(file, 16, channels) for file in files])
    as_table = ImageTable(pixels, np.zeros(3, np.int32), np.array(["a", "b", "c"]), NAMES)
    np.testing.assert_allclose(loaded.predict_bytes(files), run.predict(as_table), atol=0.05)
    assert loaded.predict_bytes([]).shape == (0, 3)
    with pytest.raises(ValueError, match="decoded"):
        loaded.predict_bytes([b"no image"])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("format", "mode"),
    [("PNG", "L"), ("PNG", "LA"), ("PNG", "P"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "1"), ("JPEG", "L"),
     ("JPEG", "RGB"), ("BMP", "RGB"), ("BMP", "L"), ("GIF", "P"), ("WEBP", "RGB")],
)  # fmt: skip
def test_graph_decodes_as_pillow_does(format, mode, channels):
    file = encoded(Image.fromarray(smooth_picture(50, 37)).convert(mode), format)
    ours = decode_image_file(tf.constant(file), 16, 16, channels)
    assert ours.shape == (16, 16, channels)
    difference = np.abs(ours.numpy() - decode.to_pixels(file, 16, channels))
    assert difference.max() <= 3
    assert difference.mean() < 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_graph_turns_as_exif_says(orientation):
    image = Image.fromarray(smooth_picture(40, 24))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "maker"
    for order in (b"II*\x00", b"MM\x00*"):
        exif.endian = "<" if order.startswith(b"I") else ">"
        file = encoded(image, "JPEG", exif=exif.tobytes(), quality=95)
        difference = np.abs(decode_image_file(tf.constant(file), 16, 16, 3).numpy() - decode.to_pixels(file, 16, 3))
        assert difference.max() <= 3


def test_enlarging_is_pillows_too():
    file = encoded(Image.fromarray(smooth_picture(5, 9)), "PNG")
    difference = np.abs(decode_image_file(tf.constant(file), 32, 32, 3).numpy() - decode.to_pixels(file, 32, 3))
    assert difference.max() <= 2


def test_exports_of_one_process_keep_their_own_weights(exported, tmp_path):
    run, table, _ = exported
    config = ClassifierTraining(classifier=Classifier(name="cnn"), training=Training(batch_size=8))
    other = train_classifier(table, Phase(on="real"), config, steps=5, seed=1)
    serving.export_classifier(other, tmp_path / "other")
    serving.export_classifier(run, tmp_path / "first")
    first = serving.load_classifier(tmp_path / "first").predict_table(table)
    second = serving.load_classifier(tmp_path / "other").predict_table(table)
    np.testing.assert_allclose(first, run.predict(table), atol=1e-6)
    np.testing.assert_allclose(second, other.predict(table), atol=1e-6)
    assert np.abs(first - second).max() > 1e-3


def test_a_folder_without_a_classifier_is_refused(exported, tmp_path):
    with pytest.raises(UserError, match="holds no classifier"):
        serving.load_classifier(tmp_path)
    run, _, _ = exported
    serving.save_phase(run, tmp_path / "phase")
    assert (tmp_path / "phase" / "model.keras").is_file()
    with pytest.raises(UserError, match="holds no classifier"):
        serving.load_classifier(tmp_path / "phase")
