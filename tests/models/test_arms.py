"""The arms of a run and how they share the budget."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand import registry
from evenhand.config import RunConfig
from evenhand.errors import UserError
from evenhand.models.arms import Arm, phase_steps, plan_arms
from evenhand.models.phase import Phase


def test_a_strategy_with_synthetic_images_gets_a_matched_arm() -> None:
    arms = {arm.name: arm for arm in plan_arms(RunConfig())}
    assert list(arms)[-1] == "pretrain_finetune_matched"
    assert arms["pretrain_finetune"].matched == "pretrain_finetune_matched"
    twin = arms["pretrain_finetune_matched"]
    assert twin.is_control and not twin.uses_synthetic and twin.matched is None
    assert [phase.share for phase in twin.phases] == [phase.share for phase in arms["pretrain_finetune"].phases]


def test_without_synthetic_images_there_is_no_matched_arm() -> None:
    config = RunConfig.model_validate({"strategies": ["baseline", "oversample"]})
    assert [arm.name for arm in plan_arms(config)] == ["baseline", "oversample"]


def test_one_matched_arm_serves_all_that_it_fits() -> None:
    names = ["baseline", "oversample", "pretrain_finetune", "shuffled_synthetic", "synthetic_only"]
    arms = {arm.name: arm for arm in plan_arms(RunConfig.model_validate({"strategies": names}))}
    assert list(arms) == [*names, "pretrain_finetune_matched"]
    assert arms["shuffled_synthetic"].matched == arms["pretrain_finetune"].matched == "pretrain_finetune_matched"
    # Real images drawn alike for every class are what oversampling is.
    assert arms["synthetic_only"].matched == "oversample"


def test_the_control_with_shuffled_labels_is_the_same_training() -> None:
    own = {"options": {"loss": "focal", "pretrain_share": 0.2}, "training": {"learning_rate": 0.5}}
    judged = {"name": "pretrain_finetune", **own}

    def planned(control: dict[str, object] | str) -> dict[str, Arm]:
        strategies = ["baseline", judged, "combined", control]
        return {arm.name: arm for arm in plan_arms(RunConfig.model_validate({"strategies": strategies}))}

    arms = planned("shuffled_synthetic")
    assert arms["pretrain_finetune"].shuffled == "shuffled_synthetic"
    assert arms["shuffled_synthetic"].training == arms["pretrain_finetune"].training
    assert arms["shuffled_synthetic"].phases != arms["pretrain_finetune"].phases
    assert arms["combined"].shuffled is None and arms["shuffled_synthetic"].shuffled is None
    # With options or a rate of its own it is another training.
    for other in ({"options": {"options": {}}}, {"training": {"learning_rate": 0.1}}):
        assert planned({"name": "shuffled_synthetic", **other})["pretrain_finetune"].shuffled is None
    # The other way round, it says so of the strategy that it was told to control.
    assert planned({"name": "shuffled_synthetic", "options": {"of": "combined"}})["combined"].shuffled is not None


def test_controls_and_classical_strategies_are_never_pushed() -> None:
    names = registry.names("models.strategies")
    arms = plan_arms(RunConfig.model_validate({"strategies": names}))
    never = {"synthetic_only", "shuffled_synthetic", "smote_svm", "resnet_rf"}
    assert {arm.name for arm in arms if arm.is_candidate} == set(names) - never
    assert {arm.name for arm in arms if not arm.is_served} == {"smote_svm", "resnet_rf"}
    # They are remedies all the same, and count as such; controls do not.
    assert {arm.name for arm in arms if arm.is_control and arm.name in names} == {
        "synthetic_only",
        "shuffled_synthetic",
    }


@pytest.mark.parametrize(
    ("strategy", "remedy"),
    [
        ({"name": "randaugment"}, "leave it out"),
        ({"name": "oversample", "options": {"augmentation": {}}}, "leave it out, or leave out options.augmentation"),
        ({"name": "pretrain_finetune", "options": {"augmentation": {"rotation": 5}}}, "leave it out, or leave out"),
    ],
)
def test_an_augmentation_beside_another_is_refused(strategy: dict[str, Any], remedy: str) -> None:
    def planned(training: dict[str, Any], *others: str) -> tuple[Arm, ...]:
        strategies = ["baseline", {**strategy, "training": training}, *others]
        return plan_arms(RunConfig.model_validate({"strategies": strategies}))

    name = strategy["name"]
    with pytest.raises(UserError) as raised:
        planned({"augmentation": {"rotation": 20}})
    assert str(raised.value).startswith(
        f"strategies.{name}.training.augmentation: has no effect, as {name} has an augmentation of its own; {remedy}"
    )
    assert planned({"learning_rate": 0.01, "augmentation": None})


def test_a_control_is_not_told_of_an_augmentation_that_it_took_over() -> None:
    judged = {"name": "pretrain_finetune", "training": {"augmentation": {"rotation": 20}}}
    control = {"name": "shuffled_synthetic", "options": {"options": {"augmentation": {}}}}
    assert plan_arms(RunConfig.model_validate({"strategies": ["baseline", judged, control]}))


@pytest.mark.parametrize("name", ["synthetic_only", "smote_svm"])
def test_what_is_never_pushed_cannot_be_selected(name: str) -> None:
    config = RunConfig.model_validate({"strategies": ["baseline", name], "evaluation": {"select": name}})
    with pytest.raises(UserError, match=rf"evaluation\.select: {name} is never pushed; use one of baseline"):
        plan_arms(config)


def test_every_strategy_gets_the_same_steps() -> None:
    config = RunConfig.model_validate({"strategies": registry.names("models.strategies")})
    for arm in plan_arms(config):
        assert sum(phase_steps(arm.phases, 1000)) == (0 if arm.name == "smote_svm" else 1000)


def test_an_unknown_option_of_a_strategy_names_the_field() -> None:
    config = RunConfig.model_validate(
        {"strategies": ["baseline", {"name": "pretrain_finetune", "options": {"pretrain_shar": 0.5}}]}
    )
    with pytest.raises(UserError, match=r"strategies\.pretrain_finetune\.options.*pretrain_share"):
        plan_arms(config)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        (
            "oversample",
            {"loss": {"name": "class_weight", "options": {"by": "size"}}},
            "oversample.options.loss.options.by: should be 'inverse' or 'effective_number', not 'size'; correct it.",
        ),
        ("oversample", {"loss": "focl"}, "oversample.options.loss: unknown name 'focl'; did you mean 'focal'."),
        (
            "shuffled_synthetic",
            {"options": {"loss": "focl"}},
            "shuffled_synthetic.options.options.loss: unknown name 'focl'; did you mean 'focal'.",
        ),
        (
            "combined",
            {"mixing": {"pairs": "across"}},
            "combined.options.mixing.pairs: across needs a fixed share of synthetic images in every batch, as mixup "
            "and regularizer have, and there is none here; use any.",
        ),
        (
            "oversample",
            {"mixing": {"pairs": "across"}},
            "oversample.options.mixing.pairs: across needs a fixed share of synthetic images in every batch, as mixup "
            "and regularizer have, and there is none here; use any.",
        ),
        (
            "shuffled_synthetic",
            {"options": {"mixing": {"pairs": "across"}}},
            "shuffled_synthetic.options.options.mixing.pairs: across needs a fixed share of synthetic images in every "
            "batch, as mixup and regularizer have, and there is none here; use any.",
        ),
        # What others take is no misspelt option of this one.
        (
            "randaugment",
            {"augmentation": {}},
            "randaugment.options.augmentation: is an option of others, not of this one; "
            "it takes post_hoc_adjustment, loss, sampling, mixing, operations, magnitude.",
        ),
        (
            "cutmix",
            {"mixing": {}},
            "cutmix.options.mixing: is an option of others, not of this one; "
            "it takes post_hoc_adjustment, loss, sampling, augmentation, alpha, probability.",
        ),
        (
            "smote_svm",
            {"loss": "focal"},
            "smote_svm.options.loss: is an option of others, not of this one; it takes size, neighbours, most, c.",
        ),
    ],
)
def test_a_wrong_option_is_named_where_it_stands(name: str, options: dict[str, Any], sentence: str) -> None:
    config = RunConfig.model_validate({"strategies": ["baseline", {"name": name, "options": options}]})
    with pytest.raises(UserError) as raised:
        plan_arms(config)
    assert str(raised.value) == f"strategies.{sentence}"


def test_pairs_across_are_for_batches_with_a_fixed_share_of_synthetic_images() -> None:
    across = {"options": {"mixing": {"pairs": "across"}}}
    strategies = ["baseline", {"name": "mixup", **across}, {"name": "regularizer", **across}]
    by_name = {arm.name: arm for arm in plan_arms(RunConfig.model_validate({"strategies": strategies}))}
    for name in ("mixup", "regularizer"):
        twin = by_name[str(by_name[name].matched)]
        assert [phase.mixing for phase in twin.phases] == [phase.mixing for phase in by_name[name].phases]
        assert twin.phases[0].mixing is not None and twin.phases[0].mixing.pairs == "across"


def test_training_of_its_own_is_for_a_strategy_that_trains_a_network() -> None:
    own = {"training": {"learning_rate": 0.01}}
    plan_arms(RunConfig.model_validate({"strategies": ["baseline", {"name": "resnet_rf", **own}]}))
    config = RunConfig.model_validate({"strategies": ["baseline", {"name": "smote_svm", **own}]})
    with pytest.raises(UserError, match=r"^strategies\.smote_svm\.training: has no effect .*; leave it out\.$"):
        plan_arms(config)


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5), st.integers(5, 5000))
def test_phases_use_the_budget_exactly(shares: list[float], steps: int) -> None:
    total = sum(shares)
    phases = tuple(Phase(on="real", share=share / total) for share in shares)
    planned = phase_steps(phases, steps)
    assert sum(planned) == steps
    assert min(planned) >= 1
    for phase, number in zip(phases, planned, strict=True):
        assert abs(number - phase.share * steps) <= len(phases)


def test_fewer_steps_than_phases_are_refused() -> None:
    with pytest.raises(UserError, match=r"training\.steps: 1 cannot be shared by 2 phases"):
        phase_steps((Phase(on="real", share=0.5), Phase(on="real", share=0.5)), 1)
