"""The whole config of a run, and the sections on judging and on machines."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_serializer, field_validator, model_validator

from evenhand.config.classification import Classifier, Strategy, Training
from evenhand.config.data import Data
from evenhand.config.generation import Generator, Synthetic
from evenhand.config.search import Tuning, check_tuning, duration_seconds
from evenhand.config.section import Name, Section

AUTO = "auto"


class Evaluation(Section):
    """How results are judged.

    Attributes:
      confidence: of every interval.
      minimum: balanced accuracy on validation under which the model is not pushed (exit code 3); None for no gate.
      select: the strategy to push; None chooses by balanced accuracy on validation.
      extractor: of the features on which synthetic images are scored, as `evenhand score --extractor` takes it;
        `classifier` is the run's own baseline.
    """

    confidence: float = Field(0.95, gt=0.5, lt=1.0)
    minimum: float | None = Field(None, ge=0.0, le=1.0)
    select: str | None = None
    extractor: str = Field("cnn", min_length=1)


class Device(Section):
    """How the hardware is used; `auto` is resolved from measurements and printed in the result."""

    distribution: Literal["auto", "none", "mirrored", "multi_worker", "tpu"] = "auto"
    xla: Literal["auto"] | bool = "auto"
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
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
    """Everything a run depends on.

    Attributes:
      strategies: what is trained and compared; none at all stands for `auto`, strategies that a search settles on.
      budget: wall-clock time of that search, e.g. `30m`; the training of what it settles on comes on top.
      tuning: fields that the search tunes for each strategy; None tunes none.
    """

    name: Name = "digits"
    seed: int = Field(0, ge=0, lt=2**31)
    deterministic: bool = True
    repeats: int = Field(1, ge=1)
    data: Data = Data()
    generator: Generator = Generator()
    synthetic: Synthetic = Synthetic()
    classifier: Classifier = Classifier()
    training: Training = Training()
    strategies: tuple[Strategy, ...] = (
        *(Strategy(name=name) for name in ("baseline", "oversample", "balanced_softmax")),
        # Fine-tuned as oversampling trains; its matched arm, which shares these options, tells what the images add.
        Strategy(name="pretrain_finetune", options={"sampling": "balanced", "loss": "cross_entropy"}),
    )
    budget: str | None = None
    tuning: Tuning | None = None
    evaluation: Evaluation = Evaluation()
    device: Device = Device()
    beam: Beam = Beam()
    resources: dict[str, Resources] = {}

    @property
    def is_searched(self) -> bool:
        """Whether a search must settle on the strategies or their fields before anything is trained."""
        return not self.strategies or self.tuning is not None

    @property
    def budget_seconds(self) -> int:
        """Wall-clock time of the search; 0 where nothing is searched."""
        return 0 if self.budget is None else duration_seconds(self.budget)

    @field_validator("budget", mode="before")
    @classmethod
    def _is_a_duration(cls, value: Any) -> Any:
        if value is not None:
            if not isinstance(value, str):
                raise ValueError(f"should be a time such as 30m or 90s, not {value!r}")
            duration_seconds(value)
        return value

    @field_validator("strategies", mode="before")
    @classmethod
    def _auto(cls, value: Any) -> Any:
        if value == AUTO:
            return ()
        if isinstance(value, str):
            raise ValueError(f"give a list of strategies, or {AUTO}, not {value!r}")
        if not value:
            raise ValueError(f"give a list with baseline in it, or {AUTO}")
        return value

    @field_serializer("strategies", mode="wrap")
    def _auto_again(self, value: tuple[Strategy, ...], handler: SerializerFunctionWrapHandler) -> Any:
        return handler(value) if value else AUTO

    @field_validator("strategies")
    @classmethod
    def _distinct(cls, value: tuple[Strategy, ...]) -> tuple[Strategy, ...]:
        if not value:
            return value
        names = [strategy.name for strategy in value]
        if len(set(names)) < len(names):
            raise ValueError("each strategy may stand once")
        if "baseline" not in names:
            raise ValueError("baseline must be among the strategies, since every verdict is against it")
        return value

    @model_validator(mode="after")
    def _search_is_possible(self) -> RunConfig:
        what = f"strategies: {AUTO}" if not self.strategies else "tuning"
        if not self.is_searched:
            if self.budget is not None:
                raise ValueError(f"budget is that of a search: set strategies to {AUTO}, add tuning, or leave it out")
            return self
        if self.budget is None:
            raise ValueError(f"{what} needs a budget, the time of the search, such as budget: 30m")
        if self.data.splits.validation == 0:
            raise ValueError(f"{what} needs a validation split to choose on (data.splits.validation is 0)")
        if not self.strategies and self.evaluation.select is not None:
            raise ValueError(f"evaluation.select cannot name what {what} has yet to choose")
        if self.tuning is not None:
            check_tuning(self.tuning, self.training, self.strategies)
        return self

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
