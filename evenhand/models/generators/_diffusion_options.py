"""Options of `diffusion`, and what they are in each of its sizes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from evenhand.config import Section

_SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "width": 32, "multipliers": (1, 2), "blocks": 1, "patch": 2, "attention_side": 8, "dropout": 0.0,
        "resampling_blocks": False, "modulation": True,
        "learning_rate": 2e-3, "warm_up_steps": 100, "augmentation": 0.0, "sampler": "multistep", "sampling_steps": 16,
    },
    "small": {
        "width": 64, "multipliers": (1, 2, 2), "blocks": 2, "patch": 1, "attention_side": 16, "dropout": 0.0,
        "resampling_blocks": True, "modulation": False,
        "learning_rate": 4e-4, "warm_up_steps": 1000, "augmentation": 0.12, "sampler": "heun", "sampling_steps": 18,
    },
    "paper": {
        "width": 128, "multipliers": (2, 2, 2), "blocks": 4, "patch": 1, "attention_side": 16, "dropout": 0.13,
        "resampling_blocks": True, "modulation": False,
        "learning_rate": 1e-3, "warm_up_steps": 19_531, "augmentation": 0.12, "sampler": "heun", "sampling_steps": 18,
    },
}  # fmt: skip


class Options(Section):
    """Options of `diffusion`; those not given are those of the size.

    Attributes:
      size: `tiny` for two processor cores, `small`, or `paper`, EDM's network for CIFAR-10 and its rates,
        with a `generator.batch_size` of 512.
      objective: what the network learns: `edm`, to denoise, or `flow`, the velocity from image to noise.
      width: filters at the first level.
      multipliers: filters of each level, in units of `width`; each level has half the size of the one before.
      blocks: residual blocks of each level.
      patch: side of the squares of pixels that are channels to the network; 2 makes it four times as fast.
      attention_side: self-attention at the first level whose longer side is no larger than this, in pixels of the map.
      dropout: in the network.
      resampling_blocks: whether maps change size within residual blocks of their own.
      modulation: whether noise level and class scale the maps besides being added to them.
      learning_rate: Adam's.
      warm_up_steps: over which the learning rate grows from 0.
      clip_norm: gradients of a larger norm are shortened to it; None never.
      data_deviation: standard deviation of pixels in -1..1 that `edm` reckons with; 0.5 in the paper for all images.
      half_life_images: training images after which a set of weights counts half in the average that images are drawn
        from.
      ramp_up: the half-life is at most this share of the images seen so far, so that short trainings profit too.
      label_dropout: share of training images whose label is hidden; needed where `guidance` is not 1.
      guidance: w of the module; more than 1 draws more typical images, and images of rare classes more alike.
      class_balancing: tau of CBDM; 0 leaves it out. A step takes twice the time with it.
      augmentation: probability of each geometric change of training images, which the network is told of.
      flips: whether `augmentation` mirrors images too; wrong for digits and hand signs.
      sampler: `heun`, EDM's, or `multistep`, which needs half the evaluations of the network for the same accuracy.
      sampling_steps: n, from noise to image; n evaluations by `multistep`, 2 n - 1 by `heun`.
    """

    size: Literal["tiny", "small", "paper"] = "tiny"
    objective: Literal["edm", "flow"] = "edm"
    width: int = Field(32, ge=4, multiple_of=4)
    multipliers: tuple[int, ...] = Field((1, 2), min_length=1)
    blocks: int = Field(1, ge=1)
    patch: int = Field(2, ge=1)
    attention_side: int = Field(8, ge=0)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    resampling_blocks: bool = False
    modulation: bool = True
    learning_rate: float = Field(2e-3, gt=0.0)
    warm_up_steps: int = Field(100, ge=0)
    clip_norm: float | None = Field(1.0, gt=0.0)
    data_deviation: float = Field(0.5, gt=0.0)
    half_life_images: int = Field(500_000, ge=1)
    ramp_up: float = Field(0.05, gt=0.0)
    label_dropout: float = Field(0.0, ge=0.0, lt=1.0)
    guidance: float = Field(1.0, ge=0.0)
    class_balancing: float = Field(0.0, ge=0.0)
    augmentation: float = Field(0.0, ge=0.0, le=1.0)
    flips: bool = False
    sampler: Literal["heun", "multistep"] = "multistep"
    sampling_steps: int = Field(16, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_size(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("size", "tiny") in _SIZES:
            return {**_SIZES[values.get("size", "tiny")], **values}
        return values

    @field_validator("multipliers")
    @classmethod
    def _positive(cls, multipliers: tuple[int, ...]) -> tuple[int, ...]:
        if min(multipliers) < 1:
            raise ValueError("multipliers are at least 1")
        return multipliers

    @field_validator("flips")
    @classmethod
    def _is_an_augmentation(cls, flips: bool, info: Any) -> bool:
        if flips and not info.data.get("augmentation"):
            raise ValueError("flips need an augmentation above 0, e.g. 0.12")
        return flips

    @field_validator("guidance")
    @classmethod
    def _needs_dropped_labels(cls, guidance: float, info: Any) -> float:
        if guidance != 1.0 and not info.data.get("label_dropout"):
            raise ValueError("guidance other than 1 needs a label_dropout above 0")
        return guidance
