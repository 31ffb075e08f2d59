"""What can be said of a run's synthetic images before any classifier learns from them: quality, copies, leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.evaluation.copies import LEAST_TRAINING_IMAGES, CopyAudit, audit_copies, exact_copies
from evenhand.evaluation.data_copying import DataCopying, data_copying_test
from evenhand.evaluation.embedded import Embedded
from evenhand.evaluation.generative_scores import Features, GenerativeScores, ScoreSettings, generative_scores
from evenhand.models.extractor_choice import CNN
from evenhand.models.extractors.cnn import train_extractor
from evenhand.models.feature_extractor import FeatureExtractor, extract_features
from evenhand.models.score_images import described, load_extractor


@dataclass(frozen=True)
class Judgement:
    """What was found.

    Attributes:
      audit: copies of training images.
      data_copying: the three-sample test, with the classes as cells.
      leaks: (synthetic id, test id) of images that repeat a test image pixel by pixel.
      scores: likeness to the held-out real images; None without any.
      extractor: name of the extractor of the audit's features; the scores name their own.
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
    synthetic: ImageTable, train: ImageTable, held_out: ImageTable, test: ImageTable, *, seed: int, extractor: str = CNN
) -> Judgement:
    """Looks for copies on features that a small network learns from the training images, and scores on those asked for.

    Args:
      synthetic: the images to judge.
      train: the real images that the generator was trained on.
      held_out: real images that it was not trained on; perhaps none.
      test: those of the test split, which nothing may repeat.
      seed: of the network and of what is drawn.
      extractor: of the features that scores go by, as `chosen_extractor` takes it; of the network's own by default.

    Raises:
      UserError: if there are too few training images, or the extractor cannot be built.
    """
    check_enough(train)
    auditor = train_extractor(train, seed=seed)
    scorer = auditor
    if extractor != CNN:
        scorer = load_extractor(extractor, lambda: train, image_shape=train.image_shape, seed=seed)
    sides = {"synthetic": synthetic, "training": train, "held-out": held_out}
    features = _features(auditor, sides)
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
        if not len(held_out)
        else _scores(
            scorer,
            features if scorer is auditor else _features(scorer, {"synthetic": synthetic, "held-out": held_out}),
            train.class_names,
            seed,
        ),
        extractor=auditor.name,
    )


def _features(extractor: FeatureExtractor, sides: Mapping[str, ImageTable]) -> dict[str, Features]:
    """Of each side that has images."""
    return {
        name: extract_features(extractor, table, task=f"{extractor.name}: features of {name} images")
        for name, table in sides.items()
        if len(table)
    }


def _scores(
    scorer: FeatureExtractor, features: Mapping[str, Features], class_names: Sequence[str], seed: int
) -> GenerativeScores:
    caution = () if scorer.caution is None else (scorer.caution,)
    return generative_scores(
        features["held-out"],
        features["synthetic"],
        class_names,
        images=described(scorer.image_shape),
        settings=ScoreSettings(seed=seed),
        notes=(*caution, "the real images are the held-out ones of the run (validation and test)."),
    )


def _embedded(table: ImageTable, features: Features) -> Embedded:
    return Embedded(table.images, features.values, table.labels, table.ids)
