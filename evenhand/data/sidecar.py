"""`data.json`, the summary that lies beside the shards of an Examples artifact."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evenhand.config import Data, Section
from evenhand.whole_files import replace_text

if TYPE_CHECKING:
    from evenhand.data.prepare import Preparation

FILE_NAME = "data.json"


class DataSummary(Section):
    """What readers of the examples must know without reading them.

    Attributes:
      class_names: names of the classes; a label is an index into them.
      image_shape: height, width, channels.
      counts: images of each class, by split.
      source: name of the source, and its path where it has one.
      fingerprint: of the source's contents.
      skipped: (id, reason) of the images that cannot be read or are synthetic, and (name, reason) of classes with too
        few images.
      duplicates: images that repeat an earlier picture pixel by pixel.
      conflicting: images whose picture also stands under another label.
      withheld: images left out because their copy, person or patient stands in the source's own test or validation
        split.
      without_hand: ids of the images in which no hand was found; None where no key points were looked for.
    """

    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    counts: dict[str, tuple[int, ...]]
    source: str
    fingerprint: str
    skipped: tuple[tuple[str, str], ...] = ()
    duplicates: int = 0
    conflicting: int = 0
    withheld: int = 0
    without_hand: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls, preparation: Preparation, config: Data, fingerprint: str, without_hand: Sequence[str] | None = None
    ) -> DataSummary:
        """The summary of a prepared source.

        Args:
          preparation: of the source.
          config: the `data` section.
          fingerprint: of the source's contents.
          without_hand: ids of the images in which no hand was found; None where no key points were looked for.
        """
        return cls(
            class_names=preparation.image_set.class_names,
            image_shape=(config.image_size, config.image_size, preparation.channels),
            counts={split: tuple(counts.tolist()) for split, counts in preparation.counts.items()},
            source=config.source if config.path is None else f"{config.source}: {config.path}",
            fingerprint=fingerprint,
            skipped=tuple(preparation.skipped),
            duplicates=preparation.duplicates,
            conflicting=preparation.conflicting,
            withheld=preparation.withheld,
            without_hand=None if without_hand is None else tuple(without_hand),
        )

    def for_synthetic(self, counts: Sequence[int]) -> DataSummary:
        """The summary of synthetic images made for these real ones.

        Args:
          counts: images of each class.
        """
        return DataSummary(
            class_names=self.class_names,
            image_shape=self.image_shape,
            counts={"train": tuple(int(count) for count in counts)},
            source="synthetic",
            fingerprint=self.fingerprint,
        )

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Writes `data.json` into `folder`, local or remote."""
        text = self.model_dump_json(indent=1)
        if _is_remote(folder):
            import tensorflow as tf

            with tf.io.gfile.GFile(f"{folder}/{FILE_NAME}", "w") as file:
                file.write(text)
            return
        path = Path(folder) / FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, text)

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> DataSummary:
        """Reads `data.json` from `folder`, local or remote."""
        if _is_remote(folder):
            import tensorflow as tf

            with tf.io.gfile.GFile(f"{folder}/{FILE_NAME}") as file:
                return cls.model_validate_json(file.read())
        return cls.model_validate_json((Path(folder) / FILE_NAME).read_text(encoding="utf-8"))


def _is_remote(folder: str | os.PathLike[str]) -> bool:
    # TensorFlow is slow to import, so that only remote file systems ask for it.
    return "://" in os.fspath(folder)
