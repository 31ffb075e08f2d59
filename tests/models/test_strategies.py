"""What each strategy's phases say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evenhand import registry
from evenhand.models.phase import Phase

NAMES = registry.names("models.strategies")


def phases(name, **options):
    module = registry.load("models.strategies", name)
    return module.phases(module.Options(**options))


@pytest.mark.parametrize("name", NAMES)
def test_shares_sum_to_one(name):
    assert sum(phase.share for phase in phases(name)) == pytest.approx(1)


@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_ends_on_real_images_and_has_a_summary(name):
    assert phases(name)[-1].on == "real"
    assert registry.summary("models.strategies", name).endswith((".", ":", ";"))


def test_what_the_cheap_strategies_do():
    assert phases("baseline") == (Phase(on="real"),)
    assert phases("oversample") == (Phase(on="real", sampling="balanced"),)
    assert phases("oversample", sampling="sqrt") == (Phase(on="real", sampling="sqrt"),)
    assert phases("balanced_softmax") == (Phase(on="real", loss="balanced_softmax"),)


def test_pretrain_finetune_follows_s1_and_corrects_the_prior():
    first, second = phases("pretrain_finetune", pretrain_share=0.25, fine_tune_learning_rate=0.1)
    assert (first.on, first.loss, first.learning_rate, first.share) == ("synthetic", "cross_entropy", 1.0, 0.25)
    assert (second.on, second.loss, second.learning_rate, second.share) == ("real", "balanced_softmax", 0.1, 0.75)
    assert phases("pretrain_finetune", fine_tune_loss="cross_entropy")[1].loss == "cross_entropy"


@pytest.mark.parametrize("options", [{"pretrain_share": 0}, {"pretrain_share": 1}, {"fine_tune_learning_rate": 0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        phases("pretrain_finetune", **options)


def test_strategies_need_no_keras():
    code = (
        "import sys; from evenhand import registry\n"
        "for name in registry.names('models.strategies'): registry.load('models.strategies', name)\n"
        "import evenhand.models.matched\n"
        "assert not {'keras', 'tensorflow', 'tfx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
