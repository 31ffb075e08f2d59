"""Draws a synthetic image again from its line of a manifest, and checks that it is the same, bit for bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.data.marks import ManifestLine, pixels_digest
from evenhand.errors import UserError
from evenhand.models.generator_artifact import Sampler
from evenhand.models.sample_generator import sample_generator


def redraw(line: ManifestLine, sampler: Sampler) -> NDArray[np.uint8]:
    """The image of a manifest's line.

    Args:
      line: from `marks.read_manifest`.
      sampler: the generator that drew it, from `load_sampler`.

    Returns:
      uint8[h, w, c].

    Raises:
      UserError: if it was another generator, or what it draws now is not what it drew then (another machine or version
        of TensorFlow may round otherwise).
    """
    if line.generator_digest is not None and line.generator_digest != sampler.card.weights_sha256:
        raise UserError(
            line.id,
            f"was drawn by another {line.generator} ({line.generator_digest[:16]})",
            "name the run that drew it",
        )
    [image] = sample_generator(sampler, label=line.label, first_seed=line.seed, count=1)
    if pixels_digest(image) != line.pixels_sha256:
        raise UserError(
            line.id, "is not drawn with the same pixels here", "draw it with the versions and device of its run"
        )
    return image
