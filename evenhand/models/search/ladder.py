"""What a search tries, in which order: cheap remedies first, then generators.

The order is also the prior: where the validation split cannot tell two strategies apart, the one that stands first is
taken. It follows what long-tailed recognition reports again and again, and what this package measured: prior-adjusted
losses cost nothing and rarely lose, augmentation helps where images are few, and pretraining on synthetic images beats
mixing them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evenhand.config import Generator, Strategy
from evenhand.models.arms import strategy_phases
from evenhand.models.phase import Loss

BALANCED_RATIO = 1.5
"""Largest class over smallest one under which nothing is left to re-balance."""

FEWEST_IMAGES = 100
"""Training images under which no generator learns what the images have in common."""

LARGEST_VAE_SIZE = 64
"""Pixels beyond which the images of a plain VAE are too blurred to be worth a trial."""

_PRIOR = {"loss": "balanced_softmax"}
_REBALANCING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("balanced_softmax", {}),
    ("logit_adjustment", {}),
    ("oversample", {}),
    ("deferred", {}),
    ("randaugment", _PRIOR),
    ("cutmix", _PRIOR),
    ("retrain_head", {}),
    ("class_weight", {"by": "effective_number"}),
    ("focal", {}),
)
_BALANCED: tuple[tuple[str, dict[str, Any]], ...] = (("randaugment", {}), ("cutmix", {}), ("focal", {}))
_SYNTHETIC = ("pretrain_finetune", "regularizer", "combined", "mixup")


def remedies(train_counts: Sequence[int]) -> tuple[Strategy, ...]:
    """The strategies on real images that are worth a trial, the most promising first.

    Args:
      train_counts: real training images of each class.
    """
    present = [count for count in train_counts if count]
    is_balanced = not present or max(present) < BALANCED_RATIO * min(present)
    return tuple(Strategy(name=name, options=options) for name, options in (_BALANCED if is_balanced else _REBALANCING))


def as_tried(name: str) -> Strategy:
    """The strategy of that name with the options that it has among the remedies; others with their defaults."""
    return Strategy(name=name, options=dict(_REBALANCING).get(name, {}))


def generators(config: Generator, train_counts: Sequence[int], image_size: int) -> tuple[Generator, ...]:
    """The generators that are worth a trial, the config's own first; none where images are too few.

    A small VAE stands second: it learns from few images, shares what common classes teach, and takes less time than
    any other; for large images it is too blurred.

    Args:
      config: the run's generator, whose steps and batch size the others get too.
      train_counts: real training images of each class.
      image_size: height and width in px.
    """
    if sum(train_counts) < FEWEST_IMAGES:
        return ()
    second = config.model_copy(update={"name": "class_vae", "options": {}})
    return (config,) if image_size > LARGEST_VAE_SIZE or config.name == second.name else (config, second)


def with_synthetic(remedy: Strategy | None) -> tuple[Strategy, ...]:
    """The strategies on synthetic images with what makes the best remedy: cheap and synthetic.

    That is its loss, augmentation and mixing, and the sampling of the phase on real images where there is one of these
    alone.

    Args:
      remedy: the best strategy on real images; None where none was trained.
    """
    options: dict[str, Any] = {}
    own: dict[str, dict[str, Any]] = {}
    if remedy is not None:
        last = strategy_phases(remedy)[-1]
        if last.loss != Loss():
            options["loss"] = last.loss.model_dump(mode="json")
        if last.augmentation is not None:
            options["augmentation"] = last.augmentation.model_dump(mode="json")
        if last.mixing is not None:
            mixing = {"mixing": last.mixing.model_dump(mode="json")}
            # `mixup` mixes real with synthetic images, which is what it is.
            own = {name: mixing for name in _SYNTHETIC if name != "mixup"}
        if last.sampling != "instance":
            own["pretrain_finetune"] = {**own.get("pretrain_finetune", {}), "sampling": last.sampling}
    return tuple(Strategy(name=name, options=options | own.get(name, {})) for name in _SYNTHETIC)
