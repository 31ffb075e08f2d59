"""How good synthetic images are for what they are made for, as the benchmarks of generators measure it."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from benchmarks.pages import DOCS
from evenhand.config import Classifier, Training
from evenhand.data.image_table import ImageTable
from evenhand.evaluation.image_quality import frechet_distance, prdc
from evenhand.models.feature_extractor import FeatureExtractor
from evenhand.models.phase import Phase
from evenhand.models.sample_generator import DrawsImages, sample_generator
from evenhand.models.train_classifier import ClassifierTraining, train_classifier
from evenhand.models.training.monitor import sample_grid

IMAGES = DOCS / "images"
PER_CLASS = 1000
JUDGED = 200
JUDGE = Training(steps=600, batch_size=64, learning_rate=1e-3)
"""The classifier that learns from synthetic images alone."""


def accuracy_score(images: ImageTable, test: ImageTable, judge: Training, task: str) -> float:
    """Balanced accuracy on real test images of a classifier trained on `images` alone, every class alike often."""
    config = ClassifierTraining(classifier=Classifier(name="cnn"), training=judge)
    run = train_classifier(images, Phase(on="synthetic", sampling="balanced"), config, steps=judge.steps, task=task)
    right = run.predict(test).argmax(axis=1) == test.labels
    return float(np.mean([right[test.labels == label].mean() for label in np.unique(test.labels)]))


def draw(sampler: DrawsImages, class_names: tuple[str, ...]) -> ImageTable:
    """`PER_CLASS` images of each class."""
    images = [sample_generator(sampler, label=label, count=PER_CLASS) for label in range(len(class_names))]
    labels = np.repeat(np.arange(len(class_names), dtype=np.int32), PER_CLASS)
    return ImageTable(np.concatenate(images), labels, np.arange(len(labels)).astype(str), class_names)


def first_of_each_class(table: ImageTable, count: int) -> np.ndarray[Any, Any]:
    """uint8[m, h, w, c], up to `count` images of each class."""
    rows = [np.flatnonzero(table.labels == label)[:count] for label in range(len(table.class_names))]
    return np.asarray(table.images[np.concatenate(rows)])


def likeness(extractor: FeatureExtractor, real: ImageTable, synthetic: ImageTable) -> dict[str, Any]:
    """Frechet distance, density and coverage of the first `JUDGED` images of each class on either side."""
    real_features, features = (extractor(first_of_each_class(table, JUDGED)) for table in (real, synthetic))
    neighbours = prdc(real_features, features)
    return {
        "extractor": extractor.name,
        "fid": frechet_distance(real_features, features),
        "density": neighbours["density"],
        "coverage": neighbours["coverage"],
    }


def save_grid(table: ImageTable, name: str) -> None:
    """Eight images of each class, in docs/images."""
    rows = np.concatenate([np.flatnonzero(table.labels == label)[:8] for label in range(len(table.class_names))])
    grid = sample_grid(np.asarray(table.images[rows]), table.labels[rows])
    IMAGES.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grid[..., 0] if grid.shape[-1] == 1 else grid).save(
        IMAGES / f"generators-{name}.png", optimize=True
    )
