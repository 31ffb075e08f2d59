"""The generators of the planted truths are what they say: noise knows no class, copies are training images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evenhand.config import Generator
from evenhand.models.generator_artifact import Sampler, load_sampler, save_generator
from evenhand.models.sample_generator import sample_generator
from evenhand.models.train_generator import train_generator
from tests.tables import noise

TRAIN = noise((16, 16, 1), (5, 2), seed=3)


def drawn_by(name: str, folder: Path) -> Sampler:
    run = train_generator(TRAIN, Generator(name=f"benchmarks.plants.{name}"))
    save_generator(run, folder, class_names=TRAIN.class_names)
    return load_sampler(str(folder))


@pytest.mark.parametrize("label", [0, 1])
def test_copies_are_training_images_of_their_class_moved_by_a_pixel(tmp_path: Path, label: int) -> None:
    images = sample_generator(drawn_by("copies", tmp_path), label=label, first_seed=0, count=20)
    originals = np.asarray(TRAIN.images[TRAIN.labels == label]).astype(int)
    for seed, image in enumerate(images.astype(int)):
        original = originals[seed % len(originals)]
        move = seed // len(originals) % 3 - 1
        wide = np.pad(original, ((0, 0), (1, 1), (0, 0)), mode="symmetric")
        apart = image - wide[:, 1 + move : 17 + move]
        assert 0 < np.abs(apart).mean() < 4


def test_noise_has_nothing_of_the_training_images(tmp_path: Path) -> None:
    sampler = drawn_by("noise", tmp_path)
    first, second = (sample_generator(sampler, label=label, first_seed=0, count=64).astype(float) for label in (0, 1))
    assert np.abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05
    assert np.abs(first.mean() - 127) < 5 and first.std() > 50
