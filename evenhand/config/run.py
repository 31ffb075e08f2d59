"""The whole config of a run, and the sections on judging and on machines."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from evenhand.config.classification import Classifier, Strategy, Training
from evenhand.config.data import Data
from evenhand.config.generation import Generator, Synthetic
from evenhand.config.section import Name, Section


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
