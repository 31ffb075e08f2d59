"""What each strategy's phases say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evenhand import registry
from evenhand.config import Augmentation, Mixing, RandAugment, Strategy
from evenhand.data.blend import Blend
from evenhand.errors import UserError
from evenhand.models.arms import strategy_phases
from evenhand.models.phase import Loss, Phase
from evenhand.models.training.layer_rates import stage_rates

NAMES = registry.names("models.strategies")
CONTROLS = {"synthetic_only", "shuffled_synthetic"}
# Those whose own idea is the loss, or that have none to choose.
WITHOUT_LOSS = {"baseline", "balanced_softmax", "class_weight", "focal", "logit_adjustment", "smote_svm"}


def phases(name, **options):
    module = registry.load("models.strategies", name)
    return module.phases(module.Options(**options))


def test_every_strategy_is_listed():
    listed = """
    balanced_softmax baseline class_weight combined cutmix deferred focal logit_adjustment mixup oversample
    pretrain_finetune randaugment regularizer resnet_rf retrain_head shuffled_synthetic smote_svm synthetic_only
    undersample weight_balance
    """
    assert listed.split() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_shares_sum_to_one(name):
    if name != "smote_svm":
        assert sum(phase.share for phase in phases(name)) == pytest.approx(1)
    assert registry.summary("models.strategies", name).endswith((".", ":", ";"))


@pytest.mark.parametrize("name", sorted(set(NAMES) - CONTROLS - {"smote_svm"}))
def test_a_strategy_that_may_be_pushed_ends_with_real_images(name):
    assert phases(name)[-1].on in ("real", "both")
    assert not getattr(registry.load("models.strategies", name), "IS_CONTROL", False)


def test_controls_say_so():
    for name in CONTROLS:
        assert registry.load("models.strategies", name).IS_CONTROL


@pytest.mark.parametrize("name", sorted(set(NAMES) - WITHOUT_LOSS - {"shuffled_synthetic"}))
def test_any_loss_is_one_line_for_any_strategy(name):
    loss = {"name": "focal", "options": {"gamma": 1.0}}
    found = [phase.loss for phase in phases(name, loss=loss)]
    assert Loss.model_validate(loss) in found


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"baseline", "randaugment", "smote_svm", "shuffled_synthetic"}))
def test_any_augmentation_is_one_line_for_any_strategy(name):
    augmentation = Augmentation(rotation=90, flip=True, rand_augment=RandAugment())
    assert {phase.augmentation for phase in phases(name, augmentation=augmentation)} == {augmentation}
    assert {phase.augmentation for phase in phases(name)} == {None}


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"baseline", "cutmix", "smote_svm", "shuffled_synthetic"}))
def test_any_mixing_is_one_line_for_any_strategy(name):
    mixing = Mixing(kind="cutmix", alpha=1.0, pairs="any")
    assert {phase.mixing for phase in phases(name, mixing=mixing)} == {mixing}


def test_mixup_mixes_real_with_synthetic_images_unless_pairs_are_given():
    [mixed] = phases("mixup", mixing={"alpha": 0.4})
    assert mixed.mixing == Mixing(alpha=0.4, pairs="across")
    [mixed] = phases("mixup", mixing={"pairs": "any"})
    assert mixed.mixing == Mixing(pairs="any")


def test_what_the_cheap_strategies_do():
    assert phases("baseline") == (Phase(on="real"),)
    assert phases("oversample") == (Phase(on="real", sampling="balanced"),)
    assert phases("oversample", sampling="sqrt") == (Phase(on="real", sampling="sqrt"),)
    assert phases("undersample") == (Phase(on="real", sampling="undersample"),)
    assert phases("balanced_softmax") == (Phase(on="real", loss="balanced_softmax"),)
    [focal] = phases("focal", gamma=1.0)
    assert focal.loss == Loss(name="focal", options={"gamma": 1.0})
    [weighted] = phases("class_weight", by="effective_number", beta=0.9)
    assert weighted.loss.options == {"by": "effective_number", "beta": 0.9}
    [adjusted] = phases("logit_adjustment", tau=2.0)
    assert adjusted.loss.options == {"tau": 2.0}
    [rand] = phases("randaugment", operations=3)
    assert rand.augmentation == Augmentation(rand_augment=RandAugment(operations=3))
    [cut] = phases("cutmix")
    assert cut.mixing == Mixing(kind="cutmix", alpha=1.0, probability=0.5)


def test_what_the_strategies_in_two_phases_do():
    first, second = phases("deferred")
    assert (first.sampling, first.loss.name, second.sampling) == ("instance", "cross_entropy", "balanced")
    first, second = phases("deferred", sampling="instance", loss="class_weight")
    assert (first.loss.name, second.loss.name, second.sampling) == ("cross_entropy", "class_weight", "instance")
    first, second = phases("retrain_head")
    assert (second.head, second.frozen_share, second.sampling) == ("fresh", 1.0, "balanced")
    assert first.head is None and first.frozen_share is None
    [normalised] = phases("retrain_head", by="normalise", tau=0.7)
    assert normalised.head_norm_power == 0.7 and normalised.share == 1
    first, second = phases("weight_balance")
    assert first.weight_decay and not first.max_norm and second.max_norm and second.frozen_share == 1.0


def test_what_the_strategies_with_synthetic_images_do():
    [regularized] = phases("regularizer", synthetic_weight=0.1, synthetic_share=0.25)
    assert (regularized.on, regularized.blend) == ("both", Blend(share=0.25, weight=0.1))
    [mixed] = phases("mixup")
    assert (mixed.on, mixed.mixing.pairs, mixed.blend) == ("both", "across", Blend(share=0.5))
    [combined] = phases("combined", most=3.0)
    assert (combined.on, combined.blend) == ("both", Blend(share="balance", most=3.0))
    [only] = phases("synthetic_only")
    assert only.on == "synthetic"


def test_shuffled_synthetic_is_another_strategy_but_for_its_labels():
    for name in ("pretrain_finetune", "combined", "regularizer"):
        theirs = phases(name, loss="focal")
        shuffled = phases("shuffled_synthetic", of=name, options={"loss": "focal"})
        for one, other in zip(theirs, shuffled, strict=True):
            assert other.labels == ("shuffled" if one.uses_synthetic else None)
            assert other.model_copy(update={"labels": None}) == one
    with pytest.raises(UserError, match="uses no synthetic images"):
        phases("shuffled_synthetic", of="oversample")


def test_pretrain_finetune_follows_s1_and_corrects_the_prior():
    first, second = phases("pretrain_finetune", pretrain_share=0.25, fine_tune_learning_rate=0.1)
    assert (first.on, first.loss.name, first.learning_rate, first.share) == ("synthetic", "cross_entropy", 1.0, 0.25)
    assert (second.on, second.loss.name, second.learning_rate, second.share) == ("real", "balanced_softmax", 0.1, 0.75)
    assert second.sampling == "instance"
    first, second = phases("pretrain_finetune", loss="cross_entropy", sampling="sqrt")
    assert (second.loss.name, first.sampling, second.sampling) == ("cross_entropy", "balanced", "sqrt")
    _, second = phases("pretrain_finetune", first_layer_rate=0.1, frozen_share=0.25)
    assert (second.first_layer_rate, second.frozen_share) == (0.1, 0.25)


@pytest.mark.parametrize("options", [{"pretrain_share": 0}, {"pretrain_share": 1}, {"fine_tune_learning_rate": 0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        phases("pretrain_finetune", **options)


@pytest.mark.parametrize(
    ("name", "options", "field", "problem"),
    [
        ("class_weight", {"beta": 0.5}, "beta", "0.5 has no effect with by: inverse; set by: effective_number, or"),
        ("retrain_head", {"tau": 2}, "tau", "2.0 has no effect with by: retrain; set by: normalise, or leave tau out."),
        ("retrain_head", {"by": "normalise", "head_share": 0.5}, "head_share", "0.5 has no effect with by: normalise;"),
        ("retrain_head", {"by": "normalise", "head_learning_rate": 2}, "head_learning_rate", "2.0 has no effect"),
        ("deferred", {"loss": {"name": "class_weight", "options": {"beta": 0.5}}}, "loss.options.beta", "0.5 has no"),
        ("pretrain_finetune", {"frozen_share": 0.0625}, "frozen_share", "0.0625 freezes no layer"),
        ("pretrain_finetune", {"frozen_share": 0.01}, "frozen_share", "0.01 freezes no layer, as layers are frozen by"),
    ],
)
def test_options_without_effect_are_refused(name, options, field, problem):
    with pytest.raises(UserError) as raised:
        strategy_phases(Strategy(name=name, options=options))
    assert str(raised.value).startswith(f"strategies.{name}.options.{field}: {problem}")


@pytest.mark.parametrize("name", registry.names("models.strategies"))
def test_defaults_may_be_written_out(name):
    options = registry.load("models.strategies", name).Options()
    written = strategy_phases(Strategy(name=name, options=options.model_dump(mode="json")))
    assert written == strategy_phases(Strategy(name=name))


def test_the_least_share_that_is_not_refused_freezes_a_stage():
    assert stage_rates(phases("pretrain_finetune", frozen_share=0.07)[1].frozen_share)[:2] == [0.0, 1.0]


@pytest.mark.parametrize(
    "settings",
    [
        {"on": "both"},
        {"on": "synthetic", "blend": Blend()},
        {"on": "both", "blend": Blend(share="balance"), "sampling": "balanced"},
        {"on": "real", "labels": "shuffled"},
    ],
)
def test_phases_that_contradict_themselves_are_refused(settings):
    with pytest.raises(ValueError):
        Phase(**settings)


def test_strategies_need_no_keras():
    code = (
        "import sys; from evenhand import registry\n"
        "for name in registry.names('models.strategies'): registry.load('models.strategies', name)\n"
        "import evenhand.models.matched\n"
        "assert not {'keras', 'tensorflow', 'tfx', 'sklearn', 'imblearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
