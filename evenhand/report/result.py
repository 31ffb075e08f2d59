"""`result.json`: every number that a run shows, in one documented file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from evenhand.errors import UserError, plain_words
from evenhand.report.audit_part import AuditPart
from evenhand.report.comparison_part import ClassComparison as ClassComparison
from evenhand.report.comparison_part import ComparisonPart as ComparisonPart
from evenhand.report.filters_part import FiltersPart
from evenhand.report.measures import CalibrationPart, ConvergencePart, GroupResult, PriorResult, UncertaintyPart
from evenhand.report.part import Count
from evenhand.report.part import Part as _Part
from evenhand.report.part import Verdict as Verdict
from evenhand.report.realism_part import RealismPart
from evenhand.report.scores_part import ClassResult as ClassResult
from evenhand.report.scores_part import SplitResult as SplitResult
from evenhand.report.search_part import SearchPart

FILE_NAME = "result.json"


class ClassCounts(_Part):
    """Images of one class."""

    name: str
    """Name of the class."""
    train: Count
    """Real images trained on."""
    validation: Count
    """Real images for selection, early stopping and blessing."""
    test: Count
    """Real images that only the report reads."""
    synthetic: Count
    """Synthetic images that strategies learned from."""


class DataPart(_Part):
    """What the run learned from and was tested on."""

    source: str
    """The source and its path or name."""
    fingerprint: str
    """Digest over names, sizes and contents of what was read."""
    classes: tuple[ClassCounts, ...]
    """Counts of each class, in the order of the labels."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Id and reason of each image, or name and reason of each class, that was left out."""
    duplicates: Count = 0
    """Images that are copies of another image."""
    without_hand: tuple[str, ...] | None = None
    """Ids of the images in which no hand was found; null where no key points were looked for."""


class GeneratorPart(_Part):
    """The generator of the synthetic images."""

    name: str
    """Name of the generator."""
    scores: dict[str, Any] | None = None
    """Image quality by measure, and under `extractor` the features it was measured on; null if not measured."""
    step: Count | None = None
    """Training step of the weights that drew the images; null if it was not watched while it trained."""
    findings: tuple[str, ...] = ()
    """What is wrong with it, in words: collapsed classes, a discriminator that won, classes without an image."""
    history: tuple[dict[str, float], ...] = ()
    """Logged values of its training, each with its `step`."""


class Repeat(_Part):
    """One seed of a strategy."""

    seed: int
    """Seed of initial weights, order and augmentation."""
    test: SplitResult
    """Scores on the test split."""
    validation: SplitResult | None
    """Scores on the validation split; null without one."""


class StrategyResult(_Part):
    """One strategy: means over its seeds, and each seed."""

    test: SplitResult
    """Means over seeds on the test split."""
    validation: SplitResult | None
    """Means over seeds on the validation split; null without one."""
    steps: Count
    """Gradient steps used in all, pretraining counted."""
    core_hours: float | None = Field(None, ge=0.0)
    """Processor time of the first seed's training, with all of its generator's; null if it was not measured."""
    blessed: bool | None = None
    """Whether the Evaluator's thresholds were met on validation; null if there were none."""
    phases: tuple[dict[str, Any], ...]
    """The phases it was trained in."""
    repeats: tuple[Repeat, ...]
    """Each seed by itself."""
    uses_synthetic: bool
    """Whether any phase trained on synthetic images."""
    matched: str | None = None
    """The strategy that does the same on real images alone."""
    added: bool = False
    """Whether it was added as a matched arm, or is a control: no remedy that the config asked for."""
    history: tuple[dict[str, float], ...] = ()
    """Logged values of the first seed, each with its `step`, counted over all phases."""
    priors: tuple[PriorResult, ...] = ()
    """Accuracy on the test split under the balanced prior, the training prior and its reverse."""
    shot_groups: tuple[GroupResult, ...] = ()
    """Recall on the test split of the classes with many, medium and few real training images."""
    confusion: tuple[tuple[int, int, float], ...] = ()
    """Confusion matrix of the test split: true label, predicted label and images, mean over seeds; without zeros."""
    calibration: CalibrationPart | None = None
    """Whether its probabilities mean what they say, and what correcting them would give."""
    uncertainty: UncertaintyPart | None = None
    """How unsure it is on the test split."""
    convergence: ConvergencePart | None = None
    """When it first reaches the baseline's best validation score."""


class Result(_Part):
    """The result of a run, as it stands in `result.json`.

    Example:
      `Result.load("runs/demo").strategies["baseline"].test.balanced_accuracy`
    """

    schema_version: Literal[1] = 1
    """Changes only when a reader of the file must change."""
    name: str
    """Name of the run."""
    config: dict[str, Any]
    """The resolved config."""
    versions: dict[str, str]
    """Versions of evenhand and of what it stands on."""
    seconds: dict[str, float]
    """Time of each stage; a stage that was reused keeps its first time."""
    processor_seconds: dict[str, float] = Field(default_factory=dict)
    """Processor time of each stage, all cores together, in the attempt that ended."""
    confidence: float = 0.95
    """Level of every interval and verdict."""
    data: DataPart
    """The data set and its counts."""
    generator: GeneratorPart | None
    """The generator; null if no strategy uses synthetic images."""
    strategies: dict[str, StrategyResult]
    """Each strategy by name, added matched arms too."""
    comparison: tuple[ComparisonPart, ...]
    """Each strategy against its references."""
    label_controls: tuple[ComparisonPart, ...] = ()
    """Strategies against the same training with shuffled labels on the synthetic images, where the run had it."""
    selected: str
    """The strategy whose model is pushed, chosen without the test split."""
    verdict: str
    """What the run says about synthetic images, in one sentence."""
    audit: AuditPart | None = None
    """Whether synthetic images are copies of training or test images; null if there are none."""
    filters: FiltersPart | None = None
    """What filters left of the synthetic images; null where every image drawn is used."""
    search: SearchPart | None = None
    """What a search tried before it settled on these strategies; null where the config named them."""
    realism: RealismPart | None = None
    """What people who rated the images found; null before `evenhand rate`."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Result:
        """Reads a result.

        Args:
          path: the output folder of a run, or its `result.json`.

        Raises:
          UserError: if there is no result, or the file is not one.
        """
        file = Path(path)
        if file.is_dir():
            file = file / FILE_NAME
        try:
            return cls.model_validate_json(file.read_bytes())
        except OSError as error:
            raise UserError(str(file), "no result to read here", "name the output folder of a finished run") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(key) for key in first["loc"])
            problem = f"not a result of this version ({place + ': ' if place else ''}{plain_words(first['msg'])})"
            raise UserError(str(file), problem, "run `evenhand run` again to write a new one") from error

    @property
    def num_seeds(self) -> int:
        """How often each strategy was trained, each time with another seed."""
        return len(next(iter(self.strategies.values())).repeats)

    def to_json(self) -> str:
        """The text of `result.json`, ending in a newline."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def completed(
        self, name: str, config: Mapping[str, Any], versions: Mapping[str, str], seconds: Mapping[str, float]
    ) -> Result:
        """The result with what only the runner knows; a node of the pipeline sees just its own part of the config."""
        return self.model_copy(
            update={"name": name, "config": dict(config), "versions": dict(versions), "seconds": dict(seconds)}
        )


def schema() -> dict[str, Any]:
    """The JSON schema of `result.json`; `result.schema.json` beside this file holds it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Result.model_json_schema()}
