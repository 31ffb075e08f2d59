"""What is measured: the data of S3, its classifier, and a budget that every strategy shares."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenhand.config import Classifier, Data, Device, Generator, Section, Training, digest
from evenhand.models.arms import Arm
from evenhand.models.train_classifier import ClassifierTraining

VERSION = "1"
"""Part of a unit's identity: raise it when the same settings should give other predictions."""

FILE = "fashion_mnist.npz"
CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot")


@dataclass(frozen=True)
class StudyTable:
    """One of the two tables.

    Attributes:
      name: in docs/results.json.
      title: of its section in docs/results.md.
      ratio: C of S3; class k keeps ceil(6000 C^k) images.
      published: S3's accuracies by the arm that does the same.
      published_generators: S3's accuracies with each of its GANs.
    """

    name: str
    title: str
    ratio: float
    published: dict[str, float]
    published_generators: dict[str, float]


TABLES = {
    table.name: table
    for table in (
        StudyTable(
            "fashion-mnist-cgan-high",
            "Fashion-MNIST, C = 1/2",
            1 / 2,
            {"baseline": 0.476, "undersample": 0.698, "oversample": 0.812, "combined": 0.733},
            {
                "mlp_cgan_relu": 0.733,
                "small_mlp_cgan_leaky": 0.686,
                "mlp_cgan_leaky": 0.696,
                "big_mlp_cgan_leaky": 0.654,
            },
        ),
        StudyTable(
            "fashion-mnist-cgan-low",
            "Fashion-MNIST, C = 7/9",
            7 / 9,
            {"baseline": 0.890, "undersample": 0.876, "oversample": 0.900, "combined": 0.887},
            {
                "mlp_cgan_relu": 0.876,
                "small_mlp_cgan_leaky": 0.887,
                "mlp_cgan_leaky": 0.791,
                "big_mlp_cgan_leaky": 0.875,
            },
        ),
    )
}


class Protocol(Section):
    """What all units of a study share.

    Attributes:
      ratio: of the profile.
      training: the budget; `steps` is that of a whole arm, pretraining counted.
      generator: trained once for each seed, on the same thinned images.
      per_class: synthetic images of each class, drawn once for each seed.
      device: how the hardware is used.
      is_development: whether held-out training images stand in for the test images.
    """

    ratio: float
    training: Training
    generator: Generator
    per_class: int = 2000
    device: Device = Device()
    is_development: bool = False

    def data(self, path: Path) -> Data:
        """S3's images: all that the profile leaves are trained on, since S3 keeps none back for validation."""
        return Data(
            source="npz",
            path=str(path),
            image_size=28,
            channels=1,
            profile={"kind": "geometric", "ratio": self.ratio},
            splits={"validation": 0.0},
        )

    def classifier_training(self, arm: Arm) -> ClassifierTraining:
        """S3's CNN with the budget, and what the arm sets for itself."""
        training = self.training if arm.training is None else arm.training.of(self.training)
        return ClassifierTraining(classifier=Classifier(name="cnn"), training=training, device=self.device)

    def generator_identity(self, seed: int) -> str:
        """A digest of everything that the synthetic images of a seed depend on."""
        return digest(_json(self._generation(seed)))

    def identity(self, arm: Arm, seed: int) -> str:
        """A digest of everything that the predictions of a unit depend on, the machine aside."""
        parts = {
            **self._common(seed),
            "phases": [_given(phase) for phase in arm.phases],
            "classical": None if arm.classical is None else _given(arm.classical),
            "training": _given(self.classifier_training(arm)),
            "synthetic": self._generation(seed) if arm.uses_synthetic else None,
        }
        return digest(_json(parts))

    def _generation(self, seed: int) -> dict[str, Any]:
        return {**self._common(seed), "generator": _given(self.generator), "per_class": self.per_class}

    def _common(self, seed: int) -> dict[str, Any]:
        return {"version": VERSION, "ratio": self.ratio, "seed": seed, "is_development": self.is_development}


def _given(section: Section) -> Any:
    """What differs from the defaults, so that a field that a section gains later leaves what is recorded as it is."""
    return section.model_dump(mode="json", exclude_defaults=True)


def _json(parts: dict[str, Any]) -> str:
    return json.dumps(parts, sort_keys=True)
