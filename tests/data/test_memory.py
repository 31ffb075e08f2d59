"""Ingestion keeps no pixels: less than 100 bytes an image, whatever the images' size."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from evenhand.config import Data
from evenhand.data.prepare import prepare


@pytest.mark.parametrize("size", [2, 40])
def test_preparing_an_archive_takes_less_than_100_bytes_an_image(tmp_path, size):
    count = 20_000
    images = np.random.default_rng(0).integers(0, 256, (count, size, size), np.uint8)
    np.savez_compressed(tmp_path / "data.npz", x_train=images, y_train=np.arange(count) % 10)
    del images
    config = Data(source="npz", path=str(tmp_path / "data.npz"))
    prepare(config, seed=0)
    tracemalloc.start()
    try:
        prepare(config, seed=0)
        # Unpacking goes through buffers of fixed size: one of a MiB, beside those of zlib.
        assert tracemalloc.get_traced_memory()[1] < 100 * count + 3 * 2**20
    finally:
        tracemalloc.stop()
