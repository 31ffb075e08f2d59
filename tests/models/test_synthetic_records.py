"""Synthetic records: never more than asked, and the same bytes however they are divided into files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from evenhand.config import Generator
from evenhand.data.image_table import ImageTable
from evenhand.models import synthetic_records
from evenhand.models.generator_artifact import save_generator
from evenhand.models.train_generator import train_generator

CLASSES = ("left", "right", "up")


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A generator that has hardly been trained."""
    rng = np.random.default_rng(0)
    table = ImageTable(
        images=rng.integers(0, 256, (24, 8, 8, 1), dtype=np.uint8),
        labels=np.arange(24, dtype=np.int32) % 3,
        ids=np.array([str(row) for row in range(24)]),
        class_names=CLASSES,
    )
    folder = tmp_path_factory.mktemp("generator")
    save_generator(train_generator(table, Generator(steps=2, batch_size=6)), folder, class_names=CLASSES)
    return str(folder)


def _write(generator: str, counts: list[int], folder: Path) -> dict[str, bytes]:
    """Image id -> PNG of everything that is written."""
    for shard in synthetic_records.plan_shards(generator, CLASSES, counts, str(folder)):
        synthetic_records.write_synthetic_shard(shard)
    images = {}
    for path in sorted((folder / "Split-train").iterdir()):
        for serialized in tf.data.TFRecordDataset(str(path), compression_type="GZIP").as_numpy_iterator():
            features = tf.train.Example.FromString(serialized).features.feature
            assert features["image/source"].bytes_list.value[0] == b"synthetic"
            name = features["image/id"].bytes_list.value[0].decode()
            assert name.endswith(f"/{features['image/seed'].int64_list.value[0]}")
            images[name] = features["image/encoded"].bytes_list.value[0]
    return images


def test_each_class_gets_what_was_asked(generator: str, tmp_path: Path) -> None:
    images = _write(generator, [70, 0, 5], tmp_path)
    assert sorted(images) == sorted(
        [f"synthetic/cgan/left/{seed}" for seed in range(70)] + [f"synthetic/cgan/up/{seed}" for seed in range(5)]
    )


def test_how_the_images_are_divided_changes_no_byte(
    generator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _write(generator, [140, 3, 0], tmp_path / "whole")
    monkeypatch.setattr(synthetic_records, "SHARD_IMAGES", 64)
    divided = _write(generator, [140, 3, 0], tmp_path / "divided")
    assert len(list((tmp_path / "divided" / "Split-train").iterdir())) == 4
    assert divided == whole
