"""Builds the generator that a config names, and chooses the images that it can learn from."""

from __future__ import annotations

import logging

import numpy as np

from evenhand import registry
from evenhand.config import Section
from evenhand.data.image_table import ImageTable
from evenhand.data.pose import has_hand
from evenhand.errors import UserError
from evenhand.models.training.conditional_generator import ConditionalGenerator

_LOG = logging.getLogger(__name__)


def build_generator(name: str, options: Section, images: ImageTable, *, seed: int) -> ConditionalGenerator:
    """The untrained model.

    Args:
      name: from `registry.names("models.generators")`, or the dotted path of a module of the user's own.
      options: of that generator.
      images: the training images.
      seed: of everything that is drawn.

    Raises:
      UserError: if an option or the images do not suit the generator, or the user's own module builds something else.
    """
    model = registry.load("models.generators", name).build(options, images, seed=seed)
    if not isinstance(model, ConditionalGenerator):
        raise UserError(
            f"models.generators {name}",
            f"its build gives {type(model).__name__}, no ConditionalGenerator",
            "return the model, see CONTRIBUTING.md",
        )
    return model


def images_for(model: ConditionalGenerator, images: ImageTable) -> ImageTable:
    """The images that a generator can learn from or be held against.

    One that reads key points would take an image without a hand for the picture of an empty pose map: those are left
    out, and counted in the log. Where there are some, the others are copied into memory.

    Args:
      model: that is to be trained.
      images: real images.
    """
    if not model.uses_keypoints or images.keypoints is None:
        return images
    is_usable = has_hand(images.keypoints)
    if is_usable.all():
        return images
    _LOG.warning("%d of %d images are left out, in which no hand was found", (~is_usable).sum(), len(images))
    return images.rows(np.flatnonzero(is_usable))
