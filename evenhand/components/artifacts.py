"""Artifact types of our own; everything else uses TFX's standard artifacts.

Kubeflow imports the classes by their type names from the top package, and refuses declared PROPERTIES:
facts about an artifact travel as custom properties or as files inside it.
"""

from __future__ import annotations

from tfx.types.artifact import Artifact


class Generator(Artifact):
    """A trained generator: a SavedModel with `sample(labels, seed)` and `generator.json`."""

    TYPE_NAME = "evenhand.Generator"


class SyntheticEvaluation(Artifact):
    """What was found of the synthetic images: `audit.json`, `scores.json` and the flagged pairs' pictures."""

    TYPE_NAME = "evenhand.SyntheticEvaluation"


class BalanceReport(Artifact):
    """The evidence of a run: `result.json` without run-wide facts, predictions, sample images."""

    TYPE_NAME = "evenhand.BalanceReport"
