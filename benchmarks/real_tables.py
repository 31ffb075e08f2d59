"""The image tables of a `data` section, made the way a run makes them, for benchmarks without a pipeline."""

from __future__ import annotations

from pathlib import Path

from evenhand.config import Data
from evenhand.data.image_table import ImageTable
from evenhand.data.image_tables import images_without_hand, load_table
from evenhand.data.prepare import prepare
from evenhand.data.records import plan_shards, write_source_shard
from evenhand.data.sidecar import DataSummary

SPLITS = ("train", "validation", "test")


def real_tables(config: Data, folder: Path, *, seed: int = 0) -> dict[str, ImageTable]:
    """Training, validation and test images, memory-mapped; `folder` keeps records and decoded images for the next time.

    Args:
      config: source, size, classes and profile.
      folder: for this very config and seed.
      seed: of splits and thinning.
    """
    records = folder / "examples"
    if not (records / "data.json").exists():
        preparation = prepare(config, seed)
        for shard in plan_shards(config, preparation, str(records)):
            write_source_shard(shard)
        without_hand = None if config.keypoints is None else images_without_hand(str(records), SPLITS)
        DataSummary.of(preparation, config, "", without_hand).write(str(records))
    return {split: load_table(str(records), [split], cache=folder / "tables") for split in SPLITS}
