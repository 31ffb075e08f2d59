"""The config of a run: frozen, validated, every field with a default, so that `{}` is the demo."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from evenhand import registry
from evenhand.errors import UserError, did_you_mean

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
_Options = TypeVar("_Options", bound=BaseModel)


class Section(BaseModel):
    """A frozen part of the config that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def canonical_json(self) -> str:
        """The section as JSON with sorted keys: equal sections give equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """A short, stable name for `text`: 16 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_options(model: type[_Options], options: Mapping[str, Any], where: str) -> _Options:
    """Validates the options of a generator, classifier, strategy or source against its own `Options`.

    Args:
      model: the entry's `Options`.
      options: what the config gives.
      where: the config's field, e.g. `generator.options`.

    Raises:
      UserError: naming the first option that is wrong, and for an unknown one the nearest that is known.
    """
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] != "extra_forbidden":
            raise UserError(f"{where}.{name}", f"{first['msg']}, not {first['input']!r}", "correct it") from error
        known = list(model.model_fields)
        hint = did_you_mean(name, known, f"it takes {', '.join(known) or 'no options'}")
        raise UserError(f"{where}.{name}", "there is no such option", hint) from error


class Classes(Section):
    """Which classes take part.

    Attributes:
      include: keep only these class names, in this order; None keeps all.
      exclude: drop these class names.
      merge: new name -> the class names it replaces.
      minimum: drop classes with fewer images than this.
    """

    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    merge: dict[str, tuple[str, ...]] | None = None
    minimum: int = Field(2, ge=1)


class GeometricProfile(Section):
    """Thins class k, in `order`, to ceil(largest * ratio^k) images (S3, section 3).

    Attributes:
      ratio: C of the paper, in (0, 1].
      largest: images of the first class; None takes all there are of it.
      order: `classes` (the source's order), `largest-first`, or class names in order.
    """

    kind: Literal["geometric"] = "geometric"
    ratio: float = Field(gt=0.0, le=1.0)
    largest: int | None = Field(None, ge=1)
    order: Literal["classes", "largest-first"] | tuple[str, ...] = "classes"


class CountsProfile(Section):
    """Thins each class to an explicit count (S4); the images must exist.

    Attributes:
      counts: images per class, in the order of the classes.
    """

    kind: Literal["counts"] = "counts"
    counts: tuple[Annotated[int, Field(ge=1)], ...]


Profile = Annotated[GeometricProfile | CountsProfile, Field(discriminator="kind")]


class Splits(Section):
    """Shares of the images; a source's own test split wins over `test`."""

    validation: Share = 0.1
    test: Share = 0.25


class Keypoints(Section):
    """Where the 21 key points of the hand in each image come from; exactly one of the two.

    Attributes:
      model: MediaPipe's hand landmarker, a `.task` file, which looks for them in every image.
      openpose: a folder of OpenPose's JSON files, one for each image, named as the image with `_keypoints.json`.
    """

    model: str | None = None
    openpose: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Keypoints:
        if (self.model is None) == (self.openpose is None):
            raise ValueError("give either model or openpose")
        return self


class Data(Section):
    """Where the images come from and which of them are used.

    Attributes:
      source: a name from `registry.names("data.sources")` or a dotted path.
      path: file, folder, pattern or data set name that the source reads.
      image_size: height and width in pixels that every image is resized to.
      channels: 1 (grey), 3 (RGB) or None: 1 when every image is grey, else 3.
      group: folder: a regular expression on the file name whose first group names the person or patient;
        csv: the column that does; tfrecord: the feature that does. Images of one group stay on one side of each split.
      strict: refuse unreadable images instead of skipping and counting them.
      validate_: run StatisticsGen, SchemaGen and ExampleValidator (key `validate`).
      keypoints: where the key points of hands come from, for generators that draw from poses; None looks for none.
      options: options of the source itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    source: str = "digits"
    path: str | None = None
    image_size: int = Field(32, ge=8, le=1024)
    channels: Literal[1, 3] | None = None
    group: str | None = None
    strict: bool = False
    validate_: bool = Field(True, alias="validate")
    classes: Classes = Classes()
    profile: Profile | None = None
    splits: Splits = Splits()
    keypoints: Keypoints | None = None
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _digits_have_a_tail(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("source", "digits") == "digits" and values.get("profile") is None:
            return {**values, "profile": {"kind": "geometric", "ratio": 0.65, "largest": 100}}
        return values

    @field_validator("source")
    @classmethod
    def _known(cls, value: str) -> str:
        registry.check("data.sources", value, "data.source")
        return value


class Monitor(Section):
    """How a generator is watched while it trains: sample grids, a Frechet distance, per-class diversity.

    Attributes:
      every: training steps between two looks; None looks eight times, at least 100 steps apart.
      keep_best: use the weights with the lowest Frechet distance, not the last ones.
    """

    every: int | None = Field(None, ge=1)
    keep_best: bool = True


class Generator(Section):
    """The generator and its training.

    Attributes:
      name: a name from `registry.names("models.generators")` or a dotted path.
      options: the generator's own `Options`.
      steps: training steps; a step updates every network of the generator once (or as it says).
      batch_size: real images in a step.
      sampling: how real images are drawn: every class alike, as they come, or by the square root of the counts.
      monitor: how it is watched; None does not. A training of fewer than 100 steps is not watched.
    """

    name: str = "cgan"
    options: dict[str, Any] = {}
    steps: int = Field(1000, ge=1)
    batch_size: int = Field(64, ge=2)
    sampling: Literal["balanced", "instance", "sqrt"] = "balanced"
    monitor: Monitor | None = Monitor()

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        registry.check("models.generators", value, "generator.name")
        return value


class Synthetic(Section):
    """How many synthetic images are drawn.

    Attributes:
      per_class: images of every class (S1 takes 1000), or `balance`: what each class lacks to the largest (S3).
      filter: only null so far: every image drawn is used.
      max_copy_share: only null so far: no gate on copies of training images.
    """

    per_class: Annotated[int, Field(ge=1)] | Literal["balance"] = 1000
    filter: None = None
    max_copy_share: None = None


class Classifier(Section):
    """The classifier that every strategy trains.

    Attributes:
      name: a name from `registry.names("models.classifiers")` or a dotted path.
      weights: None (from scratch), `imagenet`, or a local weights file.
      options: the classifier's own `Options`.
    """

    name: str = "efficientnetv2-b0"
    weights: str | None = None
    options: dict[str, Any] = {}

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        registry.check("models.classifiers", value, "classifier.name")
        return value


class EarlyStopping(Section):
    """Stops a phase when validation loss has not improved, and restores the best weights.

    Attributes:
      patience: evaluations without improvement.
      every: gradient steps between evaluations.
    """

    patience: int = Field(5, ge=1)
    every: int = Field(50, ge=1)


class Augmentation(Section):
    """Random geometric changes of training images, alike for every strategy; nothing is ever mirrored by default.

    Attributes:
      rotation: largest angle in degrees, either way.
      shift: largest displacement as a share of height and width.
      zoom: largest relative change of scale.
      flip: mirror left-right with probability 1/2 (wrong for digits and hand signs).
    """

    rotation: float = Field(0.0, ge=0.0, le=180.0)
    shift: float = Field(0.0, ge=0.0, lt=1.0)
    zoom: float = Field(0.0, ge=0.0, lt=1.0)
    flip: bool = False


class Training(Section):
    """The budget that every strategy gets, pretraining counted.

    Attributes:
      steps: gradient steps in all.
      batch_size: images in a step.
      learning_rate: Adam's peak rate.
      early_stopping: off (None) or its settings.
      augmentation: off (None) or its settings, for every phase of every strategy that does not set its own.
    """

    steps: int = Field(240, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(0.003, gt=0.0)
    early_stopping: EarlyStopping | None = None
    augmentation: Augmentation | None = Augmentation(rotation=10.0, shift=0.1, zoom=0.1)


class Strategy(Section):
    """One strategy and its options; in YAML a bare name will do."""

    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        registry.check("models.strategies", value, "strategies")
        return value


class Evaluation(Section):
    """How results are judged.

    Attributes:
      confidence: of every interval.
      minimum: balanced accuracy on validation under which the model is not pushed (exit code 3); None for no gate.
      select: the strategy to push; None chooses by balanced accuracy on validation.
    """

    confidence: float = Field(0.95, gt=0.5, lt=1.0)
    minimum: float | None = Field(None, ge=0.0, le=1.0)
    select: str | None = None


class Device(Section):
    """How the hardware is used; `auto` is resolved from measurements and printed in the result."""

    distribution: Literal["auto", "none", "mirrored", "multi_worker", "tpu"] = "auto"
    xla: Literal["auto"] | bool = "auto"
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    steps_per_execution: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"


class Beam(Section):
    """The Beam runner of ingestion and synthesis, with its options."""

    runner: str = "DirectRunner"
    options: dict[str, Any] = {"direct_running_mode": "in_memory"}


class Resources(Section):
    """What one node asks of Kubeflow: CPU cores, memory in GiB, accelerator type and count."""

    cpu: float | None = Field(None, gt=0)
    memory: float | None = Field(None, gt=0)
    accelerator: str | None = None
    accelerator_count: int = Field(1, ge=1)


class RunConfig(Section):
    """Everything a run depends on."""

    name: Name = "digits"
    seed: int = Field(0, ge=0, lt=2**31)
    deterministic: bool = True
    repeats: int = Field(1, ge=1)
    data: Data = Data()
    generator: Generator = Generator()
    synthetic: Synthetic = Synthetic()
    classifier: Classifier = Classifier()
    training: Training = Training()
    strategies: tuple[Strategy, ...] = tuple(
        Strategy(name=name) for name in ("baseline", "oversample", "balanced_softmax", "pretrain_finetune")
    )
    evaluation: Evaluation = Evaluation()
    device: Device = Device()
    beam: Beam = Beam()
    resources: dict[str, Resources] = {}

    @field_validator("strategies")
    @classmethod
    def _distinct(cls, value: tuple[Strategy, ...]) -> tuple[Strategy, ...]:
        names = [strategy.name for strategy in value]
        if len(set(names)) < len(names):
            raise ValueError("each strategy may stand once")
        if "baseline" not in names:
            raise ValueError("baseline must be among the strategies, since every verdict is against it")
        return value

    @model_validator(mode="after")
    def _selection_is_possible(self) -> RunConfig:
        names = [strategy.name for strategy in self.strategies]
        if self.evaluation.select is not None and self.evaluation.select not in names:
            raise ValueError(f"evaluation.select must be one of {', '.join(names)}")
        if self.data.splits.validation == 0 and self.evaluation.select is None:
            raise ValueError(
                "without a validation split (data.splits.validation: 0) evaluation.select must name what to push"
            )
        if self.data.splits.validation == 0 and self.training.early_stopping is not None:
            raise ValueError("training.early_stopping needs a validation split")
        return self
