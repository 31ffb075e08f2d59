"""Small image folders that tests write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

# Other work on the machine makes single examples slow now and then.
settings.register_profile("evenhand", deadline=None)
settings.load_profile("evenhand")


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes `counts[class]` random RGB images of each class below a new folder; all pictures differ."""
    rng = np.random.default_rng(0)

    def make(counts: dict[str, int], size: int = 12, name: str = "images", suffix: str = "png") -> Path:
        root = tmp_path / name
        for class_name, count in counts.items():
            (root / class_name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (size, size, 3), np.uint8)
                Image.fromarray(pixels).save(root / class_name / f"{number:03d}.{suffix}")
        return root

    return make
