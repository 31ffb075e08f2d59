"""`result.json`: every number that a run shows, in one documented file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evenhand.errors import UserError

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Change = Annotated[float, Field(ge=-1.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
Verdict = Literal["helped", "hurt", "no evidence"]

FILE_NAME = "result.json"


class _Part(BaseModel):
    """A part of the result: frozen, and strict about its keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True, use_attribute_docstrings=True
    )


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
    """Synthetic images drawn."""


class DataPart(_Part):
    """What the run learned from and was tested on."""

    source: str
    """The source and its path or name."""
    fingerprint: str
    """Digest over names, sizes and contents of what was read."""
    classes: tuple[ClassCounts, ...]
    """Counts of each class, in the order of the labels."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Id and reason of each image that could not be used."""
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
    findings: tuple[str, ...] = ()
    """What is wrong with it, in words: collapsed classes, a discriminator that won."""


class ClassResult(_Part):
    """What a strategy's classifier does with one class."""

    class_: str = Field(alias="class")
    """Name of the class."""
    support: Count
    """Images of the class in this split."""
    recall: Share | None
    """Share of them that are recognised; null without images, like its interval."""
    recall_low: Share | None
    """Lower end of the Wilson interval (with several seeds: widened by their spread)."""
    recall_high: Share | None
    """Upper end of that interval."""
    precision: Share
    """Share of the images called so that are so; 0 when none is called so."""
    f1: Share
    """Harmonic mean of precision and recall."""
    specificity: Share | None = None
    """Share of the images of other classes that are not called so; null without such images."""
    average_precision: Share | None = None
    """Average precision of ranking all images by the class's probability; null without images of the class."""


class SplitResult(_Part):
    """What a strategy's classifier does with one split."""

    accuracy: Share
    """Share of all images recognised."""
    balanced_accuracy: Share
    """Mean recall over classes that have images."""
    balanced_accuracy_low: Share
    """Lower end of its interval (Wilson intervals of the classes, added in quadrature)."""
    balanced_accuracy_high: Share
    """Upper end of that interval."""
    macro_f1: Share
    """Mean F1 over classes."""
    weighted_f1: Share | None = None
    """Mean F1 weighted by the images of each class."""
    geometric_mean: Share | None = None
    """Geometric mean of the recalls of the classes that have images."""
    matthews: float | None = None
    """Matthews correlation of labels and predictions, in [-1, 1]."""
    calibration_error: Share | None = None
    """Expected calibration error over 15 bins of the predicted class's probability."""
    worst_class_recall: Share
    """Smallest recall of a class that has images."""
    per_class: tuple[ClassResult, ...]
    """Each class, in the order of the labels."""


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
    """Whether it was added as a matched arm, not asked for in the config."""
    history: tuple[dict[str, float], ...] = ()
    """Logged values of the first seed, each with its `step`, counted over all phases."""


class ClassComparison(_Part):
    """What a strategy changes for one class."""

    class_: str = Field(alias="class")
    """Name of the class."""
    change: Change | None
    """Recall of the strategy minus that of the reference on the test split; null without test images."""
    low: Change | None
    """Lower end of the change's interval (Newcombe's for pairs, not corrected for several classes)."""
    high: Change | None
    """Upper end of that interval."""
    p: Share
    """p-value of McNemar's exact test after Holm's correction over the classes."""
    p_raw: Share
    """p-value before that correction."""
    verdict: Verdict
    """`helped` or `hurt` where `p` is below 1 - confidence."""
    reason: str | None = None
    """Why the class was not ranked at all, e.g. too few test images."""


class ComparisonPart(_Part):
    """A strategy against one reference, on the test split."""

    strategy: str
    """The strategy."""
    versus: Literal["matched", "baseline", "best_remedy"]
    """Which reference: the same training on real images alone, plain training, or the best cheap remedy."""
    versus_name: str
    """The reference's name."""
    chosen_on: Literal["validation", "test"] | None = None
    """best_remedy: the split it was chosen on; `test`, in the remedy's favour, only where no validation split is."""
    balanced_accuracy_change: Change
    """Strategy minus reference."""
    low: Change
    """Lower end of the paired bootstrap interval (several seeds: hierarchical)."""
    high: Change
    """Upper end of that interval."""
    verdict: Verdict
    """`helped` where the whole interval is above zero, `hurt` where it is below."""
    per_class: tuple[ClassComparison, ...]
    """Each class, in the order of the labels."""


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
    selected: str
    """The strategy whose model is pushed, chosen without the test split."""
    verdict: str
    """What the run says about synthetic images, in one sentence."""

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
            problem = f"not a result of this version ({place + ': ' if place else ''}{first['msg']})"
            raise UserError(str(file), problem, "run `evenhand run` again to write a new one") from error

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
