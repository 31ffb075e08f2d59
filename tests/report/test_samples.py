"""Which images the report shows."""

from __future__ import annotations

import numpy as np

from evenhand.data.image_table import ImageTable
from evenhand.report.samples import pick, pick_nearest, read_samples, write_samples
from tests.tables import noise


def test_the_nearest_real_image_stands_beside_each_synthetic_one(tmp_path) -> None:
    train = noise((16, 16, 1), (4, 3), seed=0)
    rows = np.array([5, 2, 0])  # of classes 1, 0 and 0
    labels = np.array([0, 0, 1], np.int32)
    copies = ImageTable(
        np.asarray(train.images[rows])[:, :, ::-1], labels, np.array(["a", "b", "c"]), train.class_names
    )
    nearest = pick_nearest(copies, train, 8)
    assert [sample.image_id for sample in nearest] == [str(train.ids[row]) for row in rows], "also mirrored ones"
    assert [sample.class_name for sample in nearest] == [sample.class_name for sample in pick(copies, "synthetic", 8)]
    write_samples(tmp_path / "samples.parquet", nearest)
    assert read_samples(tmp_path / "samples.parquet") == nearest


def test_nothing_is_near_where_nothing_is() -> None:
    empty = noise((16, 16, 1), (0, 0), seed=0)
    assert pick_nearest(empty, noise((16, 16, 1), (2, 2), seed=0), 8) == []
