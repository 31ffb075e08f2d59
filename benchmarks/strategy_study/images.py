"""The images of a seed: its real tables, and the synthetic ones that all its arms share, each made once."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import once
from benchmarks.real_tables import real_tables
from benchmarks.strategy_study.protocol import CLASSES, Protocol
from evenhand.config import digest
from evenhand.data.image_table import ImageTable
from evenhand.models.processor_time import ProcessorTime
from evenhand.models.sample_generator import sample_generator
from evenhand.models.train_generator import train_generator
from evenhand.whole_files import replacing


@dataclass(frozen=True)
class SeedImages:
    """All images of a seed.

    Attributes:
      protocol: of the study.
      path: the archive.
      seed: of the split, the profile and the generator.
      folder: keeps what is made, for the next sitting.
    """

    protocol: Protocol
    path: Path
    seed: int
    folder: Path

    @cached_property
    def real(self) -> dict[str, ImageTable]:
        """Training and test images."""
        data = self.protocol.data(self.path)
        name = digest(data.canonical_json())[:8]
        return real_tables(data, self.folder / f"real-{name}-seed{self.seed}", seed=self.seed)

    @cached_property
    def test_order(self) -> NDArray[np.int64]:
        """int64[n], the test images by class and id: the same for every seed."""
        test = self.real["test"]
        order: NDArray[np.int64] = np.lexsort((test.ids, test.labels))
        return order

    @property
    def test_digest(self) -> str:
        """Of their ids in this order."""
        return digest("\n".join(self.real["test"].ids[self.test_order].tolist()))

    @property
    def _synthetic_folder(self) -> Path:
        return self.folder / f"synthetic-seed{self.seed}-{self.protocol.generator_identity(self.seed)}"

    @cached_property
    def synthetic(self) -> ImageTable:
        """The generator's images, `per_class` of every class."""
        names = self.real["train"].class_names
        labels = np.repeat(np.arange(len(names), dtype=np.int32), self.protocol.per_class)
        # Its description is written after the images, so that these are whole where it is.
        self.generation()
        images = np.load(self._synthetic_folder / "images.npy", mmap_mode="r")
        return ImageTable(images, labels, np.char.add("synthetic/", np.arange(len(labels)).astype(str)), names)

    def generation(self) -> dict[str, Any]:
        """Trains the generator and draws from it, once; returns what that cost."""
        description: dict[str, Any] = once(self._synthetic_folder / "generation.json", self._generate)
        return description

    def _generate(self) -> dict[str, Any]:
        folder, train = self._synthetic_folder, self.real["train"]
        folder.mkdir(parents=True, exist_ok=True)
        with ProcessorTime() as training:
            run = train_generator(
                train,
                self.protocol.generator,
                seed=self.seed,
                device=self.protocol.device,
                state_dir=folder / "state",
            )
        with ProcessorTime() as drawing:
            sampler = run.sampler()
            images = np.concatenate(
                [
                    sample_generator(sampler, label=label, count=self.protocol.per_class)
                    for label in range(len(train.class_names))
                ]
            )
        with replacing(folder / "images.npy") as file:
            np.save(file, images)
        shutil.rmtree(folder / "state", ignore_errors=True)
        return {
            "steps": run.steps,
            "processor_seconds": training.seconds + drawing.seconds,
            "drawing_processor_seconds": drawing.seconds,
            "last": run.history[-1] if run.history else {},
        }


def class_names(count: int) -> tuple[str, ...]:
    """Names of the classes of a record of so many."""
    return CLASSES if count == len(CLASSES) else tuple(str(label) for label in range(count))
