"""What can be said of a run's synthetic images before any classifier learns from them: quality, copies, leaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.evaluation.copies import LEAST_TRAINING_IMAGES, CopyAudit, audit_copies, exact_copies
from evenhand.evaluation.data_copying import DataCopying, data_copying_test
from evenhand.evaluation.embedded import Embedded
from evenhand.evaluation.generative_scores import Features, GenerativeScores, ScoreSettings, generative_scores
from evenhand.models.extractors.cnn import train_extractor
from evenhand.models.feature_extractor import extract_features
from evenhand.models.score_images import described


@dataclass(frozen=True)
class Judgement:
    """What was found.

    Attributes:
      audit: copies of training images.
      data_copying: the three-sample test, with the classes as cells.
      leaks: (synthetic id, test id) of images that repeat a test image pixel by pixel.
      scores: likeness to the held-out real images; None without any.
      extractor: name of the features' extractor.
    """

    audit: CopyAudit
    data_copying: DataCopying
    leaks: tuple[tuple[str, str], ...]
    scores: GenerativeScores | None
    extractor: str


def check_enough(train: ImageTable) -> None:
    """Whether synthetic images made from these could be judged; a run asks before it trains a generator.

    Raises:
      UserError: if there are too few.
    """
    if len(train) < LEAST_TRAINING_IMAGES:
        raise UserError(
            "data",
            f"{len(train)} training images are too few to tell whether synthetic ones are copies of them "
            f"(at least {LEAST_TRAINING_IMAGES})",
            "add images, lower data.splits.test, or leave out the strategies that use synthetic images",
        )


def judge_synthetic(
    synthetic: ImageTable, train: ImageTable, held_out: ImageTable, test: ImageTable, *, seed: int
) -> Judgement:
    """Judges synthetic images on features that a small network learns from the training images.

    Args:
      synthetic: the images to judge.
      train: the real images that the generator was trained on.
      held_out: real images that it was not trained on; perhaps none.
      test: those of the test split, which nothing may repeat.
      seed: of the network and of what is drawn.

    Raises:
      UserError: if there are too few training images.
    """
    check_enough(train)
    extractor = train_extractor(train, seed=seed)
    sides = {"synthetic": synthetic, "training": train, "held-out": held_out}
    features = {
        name: extract_features(extractor, table, task=f"features of {name} images")
        for name, table in sides.items()
        if len(table)
    }
    own, known = (_embedded(sides[name], features[name]) for name in ("synthetic", "training"))
    # Of no images there are no features, but they have the same width.
    fresh = _embedded(held_out, features["held-out"]) if len(held_out) else known.rows(np.arange(0))
    return Judgement(
        audit=audit_copies(own, known, fresh),
        data_copying=data_copying_test(*((part.features, part.labels) for part in (own, known, fresh))),
        leaks=tuple(
            (str(synthetic.ids[row]), str(test.ids[other]))
            for row, other in exact_copies(synthetic.images, test.images)
        ),
        scores=None
        if "held-out" not in features
        else generative_scores(
            features["held-out"],
            features["synthetic"],
            train.class_names,
            images=described(train.image_shape),
            settings=ScoreSettings(seed=seed),
            notes=("the real images are the held-out ones of the run (validation and test).",),
        ),
        extractor=extractor.name,
    )


def _embedded(table: ImageTable, features: Features) -> Embedded:
    return Embedded(table.images, features.values, table.labels, table.ids)
