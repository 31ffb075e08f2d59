"""Images and arms for making up one's mind, before anything meets the test images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from pydantic import ValidationError

from benchmarks.strategy_study.arms import StudyArm
from evenhand.config import Strategy
from evenhand.errors import UserError
from evenhand.whole_files import replacing

HELD_OUT = 1 / 6


def development_archive(path: Path, folder: Path) -> Path:
    """An archive whose test images are a sixth of the real training images of each class; made once.

    Args:
      path: the real archive; its test images are not read.
      folder: where the new one is kept.
    """
    target = folder / "development.npz"
    if target.exists():
        return target
    with np.load(path, allow_pickle=False) as arrays:
        images, labels = arrays["x_train"], arrays["y_train"]
    rng, is_held = np.random.default_rng(0), np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        is_held[rows[: round(HELD_OUT * len(rows))]] = True
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(target) as file:
        np.savez(
            file, x_train=images[~is_held], y_train=labels[~is_held], x_test=images[is_held], y_test=labels[is_held]
        )
    return target


def read_variants(file: Path) -> list[StudyArm]:
    """Further arms from YAML: name -> strategy, as in the config's `strategies`.

    Raises:
      SystemExit: if the file is not such a mapping, or a strategy is wrong.
    """
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
        arms = [
            StudyArm(name, Strategy.model_validate(strategy), "remedy", rank="key") for name, strategy in found.items()
        ]
        # A variant says itself what it is.
        return [
            StudyArm(arm.name, arm.strategy, "synthetic" if arm.plan().uses_synthetic else "remedy", rank="key")
            for arm in arms
        ]
    except (OSError, yaml.YAMLError, AttributeError, ValidationError, UserError) as error:
        raise SystemExit(f"{file} must name strategies (NAME: {{name: …, options: {{…}}}}): {error}") from error
