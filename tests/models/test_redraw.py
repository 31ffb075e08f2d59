"""A manifest alone is enough to draw its images again, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from evenhand.config import Generator
from evenhand.data import marks
from evenhand.data.export import export_images
from evenhand.errors import UserError
from evenhand.models import synthetic_records
from evenhand.models.generator_artifact import Sampler, load_sampler, save_generator
from evenhand.models.redraw import redraw
from evenhand.models.sample_generator import sample_generator
from evenhand.models.train_generator import train_generator
from tests.tables import noise

NAMES = ("a", "b/c")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator that has hardly been trained."""
    path = tmp_path_factory.mktemp("generator")
    run = train_generator(noise((8, 8, 1), (12, 12)), Generator(steps=2, batch_size=6))
    save_generator(run, path, class_names=NAMES)
    return path


@pytest.fixture(scope="module")
def sampler(folder: Path) -> Sampler:
    return load_sampler(folder)


def test_images_are_drawn_again_from_their_manifest(sampler: Sampler, tmp_path: Path) -> None:
    first, count = 61, 8  # across the border of two blocks
    images = [
        (pixels, label, f"synthetic/{sampler.name}/{NAMES[label]}/{first + offset}")
        for label in range(2)
        for offset, pixels in enumerate(sample_generator(sampler, label=label, first_seed=first, count=count))
    ]
    digest = sampler.card.weights_sha256
    export_images(images, NAMES, tmp_path / "out", "folder", generator_digest=digest)
    lines = list(marks.read_manifest(tmp_path / "out" / marks.MANIFEST))
    assert len(lines) == 16 and {line.class_name for line in lines} == set(NAMES)
    for line in reversed(lines):
        assert line.file is not None
        written = np.asarray(Image.open(tmp_path / "out" / line.file))[:, :, None]
        np.testing.assert_array_equal(redraw(line, sampler), written)


def test_records_hold_what_a_manifest_does(folder: Path, sampler: Sampler, tmp_path: Path) -> None:
    for shard in synthetic_records.plan_shards(str(folder), NAMES, [0, 70], str(tmp_path)):
        synthetic_records.write_synthetic_shard(shard)
    [file] = (tmp_path / "Split-train").iterdir()
    records = list(tf.data.TFRecordDataset(str(file), "GZIP").as_numpy_iterator())
    features = tf.train.Example.FromString(records[66]).features.feature
    assert marks.is_marked(features["image/encoded"].bytes_list.value[0])
    pixels = tf.io.decode_png(features["image/encoded"].bytes_list.value[0]).numpy()
    line = marks.ManifestLine.of(
        pixels,
        features["image/id"].bytes_list.value[0].decode(),
        features["image/class/label"].int64_list.value[0],
        digest=features["image/generator_digest"].bytes_list.value[0].decode(),
        file=None,
    )
    assert line.seed == features["image/seed"].int64_list.value[0] == 66
    np.testing.assert_array_equal(redraw(line, sampler), pixels)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"generator_digest": "0" * 64}, "was drawn by another cgan"), ({"pixels_sha256": "0" * 64}, "the same pixels")],
)
def test_another_generator_or_other_pixels_are_told(sampler: Sampler, change: dict[str, str], sentence: str) -> None:
    [pixels] = sample_generator(sampler, label=0, first_seed=5, count=1)
    digest = sampler.card.weights_sha256
    line = marks.ManifestLine.of(pixels, "synthetic/cgan/a/5", 0, digest=digest, file=None)
    with pytest.raises(UserError, match=sentence):
        redraw(line.model_copy(update=change), sampler)
