"""Where Keras keeps InceptionV3's ImageNet weights; known without loading TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path

from evenhand.errors import UserError

OPTION = "--extractor"

_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels"
FILES = (f"{_FILE}.h5", f"{_FILE}_notop.h5")
"""Keras' own names, of the network with its last layer and without."""


def cached_weights() -> Path | None:
    """The weights in Keras' cache, those with the last layer first; None where there are none."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return next((home / "models" / name for name in FILES if (home / "models" / name).is_file()), None)


def known_weights(where: str = OPTION) -> Path:
    """Those weights.

    Args:
      where: the option or field that asks for them.

    Raises:
      UserError: if there are none.
    """
    weights = cached_weights()
    if weights is None:
        raise UserError(
            f"{where} inception",
            f"there is neither {FILES[0]} nor {FILES[1]} in the folder models of Keras' cache",
            f"download one from Keras applications, give its path as {where} PATH.h5, or use {where} cnn",
        )
    return weights
