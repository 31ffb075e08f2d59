"""The arms of the study: every strategy, the cheap ones with augmentation, and cheap and synthetic together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from evenhand.config import Augmentation, OwnTraining, RandAugment, RunConfig, Strategy
from evenhand.models.arms import Arm, arm_of
from evenhand.models.matched import matched_phases

Kind = Literal["remedy", "synthetic", "control"]
Rank = Literal["key", "usual", "further"]

RANKS: tuple[Rank, ...] = ("key", "usual", "further")

AUGMENTATION = Augmentation(flip=True, shift=0.1, zoom=0.1)
AUGMENTED = "+augmentation"

MAIN = "pretrain_finetune" + AUGMENTED
"""Cheap and synthetic together: the arm that the study is about, named before anything is measured."""


@dataclass(frozen=True)
class StudyArm:
    """One row of a table.

    Attributes:
      name: of the row.
      strategy: what is trained.
      kind: `remedy` on real images alone; `synthetic`; `control`, which is no proposal and never the best remedy.
      rank: `key` arms are trained first, and alone with `--quick`; `further` ones with `--all` or by name only.
      is_twin: whether it is the real-only twin of the strategy, in the place of it.
      is_adjusted: whether its predictions are those of the arm of the same training after logit adjustment: each
        probability over the class's share of the training images (Menon et al., Long-Tail Learning via Logit
        Adjustment, 2021, its post-hoc form). Nothing more is trained.
      is_searched: whether its settings were chosen among others, on held-out training images.
    """

    name: str
    strategy: Strategy
    kind: Kind
    rank: Rank = "usual"
    is_twin: bool = False
    is_adjusted: bool = False
    is_searched: bool = False

    def plan(self) -> Arm:
        """The arm as a run of the pipeline would have it."""
        arm = arm_of(RunConfig(), self.strategy)
        phases = matched_phases(arm.phases) if self.is_twin else arm.phases
        assert phases is not None, f"{self.name} uses no synthetic images and has no twin"
        return replace(arm, name=self.name, phases=phases)


def _arm(
    strategy: str,
    kind: Kind = "remedy",
    *,
    name: str | None = None,
    augmented: Augmentation | None = None,
    rank: Rank = "usual",
    is_adjusted: bool = False,
    is_searched: bool = False,
    **options: Any,
) -> StudyArm:
    full = (name or strategy) + (AUGMENTED if augmented else "") + ("+adjusted" if is_adjusted else "")
    own = None if augmented is None else OwnTraining(augmentation=augmented)
    made = Strategy(name=strategy, options=options, training=own)
    return StudyArm(full, made, kind, rank, is_adjusted=is_adjusted, is_searched=is_searched)


def _twin_of(arm: StudyArm, rank: Rank | None = None) -> StudyArm:
    """The same training on real images alone."""
    return replace(arm, name=f"{arm.name}_matched", kind="control", rank=rank or arm.rank, is_twin=True)


_RAND_AUGMENTED = AUGMENTATION.model_copy(update={"rand_augment": RandAugment()})
"""RandAugment after flips, shifts and zooms, as Cubuk et al. (2020) use it."""

_PRETRAINED = {"pretrain_share": 0.375, "loss": "balanced_softmax"}
"""3 of 8 steps on synthetic images, then the cheap remedy's own loss on the real ones."""

_BRIEFLY_PRETRAINED = {"pretrain_share": 0.2, "fine_tune_learning_rate": 1.0, "loss": "balanced_softmax"}
"""The setting of pretraining that lost least beside RandAugment on held-out training images."""

_PRETRAIN = _arm("pretrain_finetune", "synthetic", augmented=AUGMENTATION, rank="key", **_PRETRAINED)
_PRETRAIN_BRIEFLY = _arm(
    "pretrain_finetune",
    "synthetic",
    name="pretrain_finetune+randaugment",
    augmented=_RAND_AUGMENTED,
    is_searched=True,
    **_BRIEFLY_PRETRAINED,
)
_MIXUP = _arm("mixup", "synthetic", augmented=AUGMENTATION)

ARMS = (
    # Cheap remedies without augmentation, as S3 trains.
    _arm("baseline", rank="key"),
    _arm("undersample"),
    _arm("oversample", rank="key"),
    _arm("class_weight", by="inverse"),
    _arm("class_weight", name="class_weight_effective", by="effective_number", rank="further"),
    _arm("focal"),
    _arm("balanced_softmax", rank="key"),
    _arm("logit_adjustment"),
    _arm("deferred"),
    _arm("retrain_head", by="retrain"),
    _arm("retrain_head", name="normalised_head", by="normalise", rank="further"),
    _arm("weight_balance"),
    _arm("smote_svm"),
    _arm("resnet_rf"),
    # The strong ones: with flips, shifts and zooms, or with the strategy's own augmentation.
    _arm("baseline", augmented=AUGMENTATION, rank="key"),
    _arm("oversample", augmented=AUGMENTATION, rank="key"),
    _arm("balanced_softmax", augmented=AUGMENTATION, rank="key"),
    _arm("baseline", augmented=AUGMENTATION, rank="key", is_adjusted=True),
    _arm("logit_adjustment", augmented=AUGMENTATION),
    _arm("deferred", augmented=AUGMENTATION),
    _arm("randaugment", name="balanced_softmax+randaugment", loss="balanced_softmax"),
    _arm("balanced_softmax", name="balanced_softmax+randaugment", augmented=_RAND_AUGMENTED),
    _arm("cutmix", name="balanced_softmax+cutmix", augmented=AUGMENTATION, loss="balanced_softmax"),
    # Synthetic images: as S3 and S1 use them, then together with the best of the cheap remedies.
    _arm("combined", "synthetic"),
    _arm("pretrain_finetune", "synthetic", loss="cross_entropy"),
    _PRETRAIN,
    _PRETRAIN_BRIEFLY,
    _arm("combined", "synthetic", augmented=AUGMENTATION, rank="key", loss="balanced_softmax", most=3.0),
    _arm("regularizer", "synthetic", augmented=AUGMENTATION),
    _MIXUP,
    # Controls: the same without synthetic images, with wrong labels, without real images.
    _twin_of(_PRETRAIN),
    _twin_of(_PRETRAIN_BRIEFLY),
    _twin_of(_MIXUP, rank="further"),
    _arm("shuffled_synthetic", "control", augmented=AUGMENTATION, of="pretrain_finetune", options=_PRETRAINED),
    _arm("synthetic_only", "control", augmented=AUGMENTATION, rank="key"),
)


def chosen(names: Sequence[str], arms: Sequence[StudyArm], last: Rank) -> list[StudyArm]:
    """The arms asked for, in the order in which they are trained.

    Args:
      names: of arms; none takes those up to `last`.
      arms: to choose among.
      last: the last rank that takes part, where no names are given.

    Raises:
      SystemExit: if there is no such arm.
    """
    known = {arm.name: arm for arm in arms}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"there is no arm {', '.join(unknown)}; use any of {', '.join(known)}")
    ranks = RANKS[: RANKS.index(last) + 1]
    return [known[name] for name in names] or [arm for rank in ranks for arm in arms if arm.rank == rank]
