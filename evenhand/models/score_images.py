"""Scores the images of one source against those of another, with no run and no pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand import registry
from evenhand.config import parse_options
from evenhand.data.image_table import ImageTable
from evenhand.data.readable_images import ReadableImages
from evenhand.errors import UserError
from evenhand.evaluation.generative_scores import DEFAULTS, GenerativeScores, ScoreSettings, generative_scores
from evenhand.models.extractor_choice import AUTO, KIND, OPTION, chosen_extractor
from evenhand.models.feature_extractor import FeatureExtractor, ImageShape, extract_features
from evenhand.named import counted, listed

_SMALLEST, _LARGEST = 8, 128


def load_extractor(
    choice: str, training_images: Callable[[], ImageTable], *, image_shape: ImageShape, seed: int = 0
) -> FeatureExtractor:
    """Finds and builds an extractor.

    Args:
      choice: as `chosen_extractor` takes it.
      training_images: gives labelled real images of `image_shape`; asked only by extractors that are trained.
      image_shape: height, width and channels that an extractor takes where it has no shape of its own.
      seed: of an extractor that is trained.

    Raises:
      UserError: if there is no such extractor, or it cannot be built.
    """
    name, options = chosen_extractor(choice)
    module = registry.load(KIND, name)
    extractor: FeatureExtractor = module.build(
        parse_options(module.Options, options, OPTION), training_images, image_shape=image_shape, seed=seed
    )
    return extractor


def score_images(
    real: ReadableImages,
    synthetic: ReadableImages,
    *,
    extractor: str = AUTO,
    image_size: int | None = None,
    settings: ScoreSettings = DEFAULTS,
) -> GenerativeScores:
    """Scores synthetic images against real ones; classes are matched by name.

    Args:
      real: real images, on whose classes the extractor `cnn` is trained.
      synthetic: synthetic images.
      extractor: as `chosen_extractor` takes it.
      image_size: px, of images for an extractor that has no size of its own; None for the median side of the real
        images, from 8 to 128.
      settings: seed, numbers of neighbours and images.

    Returns:
      The scores of all images, and of each class that both sides have.

    Raises:
      UserError: if the extractor cannot be built, or takes images of another size than `image_size`.
    """
    size = image_size or int(np.clip(real.typical_size, _SMALLEST, _LARGEST))
    shape = (size, size, max(real.channels, synthetic.channels))
    built = load_extractor(extractor, lambda: real.table(shape), image_shape=shape, seed=settings.seed)
    if image_size is not None and built.image_shape[0] != image_size:
        raise UserError(
            "--image-size", f"is {image_size}, but {built.name} takes {built.image_shape[0]} pixels", "leave it out"
        )
    common = [name for name in real.class_names if name in synthetic.class_names]
    features = {
        what: extract_features(
            built,
            side,
            labels=_relabelled(side, common),
            with_probabilities=what == "synthetic",
            task=f"extract features of {what} images",
        )
        for side, what in ((real, "real"), (synthetic, "synthetic"))
    }
    try:
        return generative_scores(
            features["real"],
            features["synthetic"],
            common,
            images=described(built.image_shape),
            settings=settings,
            notes=(*([built.caution] if built.caution else ()), *_notes(real, synthetic, common)),
        )
    except ValueError as error:
        if "finite" not in str(error):
            raise
        raise UserError(built.name, "gives features that are not finite", "use another extractor") from error


def described(image_shape: ImageShape) -> str:
    """How images are brought to an extractor's shape, in words."""
    height, width, channels = image_shape
    return f"{width} x {height} pixels, {'grey' if channels == 1 else 'RGB'}, Pillow bilinear"


def _relabelled(images: ReadableImages, common: Sequence[str]) -> NDArray[np.int32]:
    """int32[n], index of each image's class into `common`, -1 without one."""
    numbers = {name: number for number, name in enumerate(common)}
    return np.asarray([numbers.get(name, -1) for name in images.class_names], np.int32)[images.labels]


def _notes(real: ReadableImages, synthetic: ReadableImages, common: Sequence[str]) -> list[str]:
    notes = []
    if real.num_marked:
        notes.append(
            f"{real.num_marked} of {len(real)} images of {real.name}, the real side, are marked as synthetic: the "
            "scores compare synthetic images with synthetic ones, too."
        )
    if not common:
        notes.append(
            f"no class of {synthetic.name} ({listed(synthetic.class_names)}) is one of {real.name} "
            f"({listed(real.class_names)}): there are only scores over all."
        )
    for side, other in ((real, synthetic), (synthetic, real)):
        alone = [name for name in side.class_names if name not in other.class_names]
        if common and alone:
            classes = "1 class is" if len(alone) == 1 else f"{len(alone)} classes are"
            count = "counts" if len(alone) == 1 else "count"
            notes.append(f"{classes} in {side.name} alone and {count} only in the scores over all: {listed(alone)}.")
        if side.num_skipped:
            are = "is" if side.num_skipped == 1 else "are"
            notes.append(f"{counted(side.num_skipped, 'image')} of {side.name} cannot be read and {are} left out.")
    known = set(real.pictures)
    copies = sum(picture in known for picture in synthetic.pictures)
    if copies:
        are = "is an exact copy" if copies == 1 else "are exact copies"
        drawn = counted(len(synthetic), "synthetic image")
        notes.append(f"{copies} of {drawn} {are} of a real one, which these scores reward.")
    return notes
