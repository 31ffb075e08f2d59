"""Some records of a split, copied byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from evenhand.data.decode import encode_png
from evenhand.data.image_tables import copy_records
from evenhand.data.records import encode_example, shard_name, write_shard


def _written(folder: Path) -> list[bytes]:
    """Three and two records in two files."""
    examples = [
        encode_example(
            encode_png(np.full((8, 8, 1), 40 * seed, np.uint8), synthetic=True),
            image_shape=(8, 8, 1),
            image_id=f"synthetic/cgan/a/{seed}",
            label=0,
            class_name="a",
            split="train",
            source="synthetic",
            seed=seed,
            generator_digest="f" * 64,
        )
        for seed in range(5)
    ]
    for index, part in enumerate((examples[:3], examples[3:])):
        write_shard(f"{folder}/Split-train/{shard_name(index, 2)}", part)
    return examples


def _read(path: str) -> list[bytes]:
    return list(tf.data.TFRecordDataset(path, compression_type="GZIP").as_numpy_iterator())


@pytest.mark.parametrize("keep", [[True, False, True, False, True], [False, False, False, True, True], [False] * 5])
def test_records_keep_their_bytes_files_and_order(tmp_path: Path, keep: list[bool]) -> None:
    examples = _written(tmp_path / "drawn")
    copy_records(str(tmp_path / "drawn"), str(tmp_path / "used"), "train", np.array(keep))
    files = sorted((tmp_path / "used" / "Split-train").iterdir())
    assert [file.name for file in files] == [shard_name(0, 2), shard_name(1, 2)]
    assert [record for file in files for record in _read(str(file))] == [
        example for example, kept in zip(examples, keep, strict=True) if kept
    ]


def test_a_mask_of_other_length_is_an_error(tmp_path: Path) -> None:
    _written(tmp_path / "drawn")
    with pytest.raises(ValueError, match="expected 4 records, found 5"):
        copy_records(str(tmp_path / "drawn"), str(tmp_path / "used"), "train", np.ones(4, bool))
