"""The real-only twin of a strategy."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand import config_file, registry
from evenhand.config import Augmentation
from evenhand.data.blend import Blend
from evenhand.data.image_table import ImageTable
from evenhand.models.arms import plan_arms
from evenhand.models.matched import matched_phases
from evenhand.models.phase import Phase
from evenhand.models.train_classifier import phase_draws


@pytest.mark.parametrize("name", registry.names("models.strategies"))
def test_only_strategies_with_synthetic_images_have_a_twin(name):
    module = registry.load("models.strategies", name)
    phases = module.phases(module.Options())
    twin = matched_phases(phases)
    if all(phase.on == "real" for phase in phases):
        assert twin is None
    else:
        assert all(phase.on == "real" for phase in twin)
        for one, other in zip(phases, twin, strict=True):
            fields = set(Phase.model_fields) - {"on", "sampling", "labels"}
            assert all(getattr(one, field) == getattr(other, field) for field in fields)


def test_only_synthetic_phases_change_and_they_draw_classes_alike():
    turned = Augmentation(rotation=10)
    first = Phase(on="synthetic", share=0.4, learning_rate=0.5, augmentation=turned)
    second = Phase(on="real", share=0.6, loss="balanced_softmax")
    assert matched_phases((first, second)) == (
        Phase(on="real", share=0.4, sampling="balanced", learning_rate=0.5, augmentation=turned),
        second,
    )


def test_in_a_phase_on_both_real_images_stand_in_for_the_synthetic_ones():
    blend = Blend(share=0.25, weight=0.5)
    mixed = Phase(on="both", blend=blend, sampling="sqrt", loss="focal", labels="shuffled")
    assert matched_phases((mixed,)) == (Phase(on="real", blend=blend, sampling="sqrt", loss="focal"),)


def test_a_twin_sees_the_same_law_of_labels():
    def table(counts):
        labels = np.repeat(np.arange(3), counts).astype(np.int32)
        return ImageTable(np.zeros((len(labels), 2, 2, 1), np.uint8), labels, labels.astype(str), tuple("abc"))

    real, synthetic = table((12, 6, 2)), table((30, 30, 30))
    for name in ("regularizer", "mixup", "combined", "pretrain_finetune", "synthetic_only"):
        module = registry.load("models.strategies", name)
        phases = module.phases(module.Options())
        for one, other in zip(phases, matched_phases(phases), strict=True):
            images = synthetic if one.on == "synthetic" else real
            laws = [
                phase_draws(phase, table, synthetic, batch_size=10, seed=0).class_counts(phase.mixing)
                for phase, table in ((one, images), (other, real))
            ]
            np.testing.assert_allclose(*(law / law.sum() for law in laws))


def test_a_twin_has_no_twin():
    twin = matched_phases((Phase(on="synthetic"),))
    assert twin is not None
    assert matched_phases(twin) is None


def test_where_the_run_stops_early_a_twin_trains_as_long_as_its_phase_on_synthetic_images():
    phases = (Phase(on="synthetic", share=0.5), Phase(on="real", share=0.5))
    assert [phase.may_stop_early for phase in phases] == [False, True]
    twin = matched_phases(phases, early_stopping=True)
    assert [phase.may_stop_early for phase in twin] == [False, True]
    assert all(phase.may_stop_early for phase in matched_phases(phases))
    training = {"early_stopping": {"patience": 2}}
    planned = plan_arms(
        config_file.resolve({"strategies": ["baseline", "synthetic_only", "oversample"], "training": training})
    )
    by_name = {arm.name: arm for arm in planned}
    assert by_name["synthetic_only"].matched == "synthetic_only_matched"
    assert [phase.stops for phase in by_name["synthetic_only_matched"].phases] == ["never"]
    without = plan_arms(config_file.resolve({"strategies": ["baseline", "synthetic_only", "oversample"]}))
    assert {arm.name: arm for arm in without}["synthetic_only"].matched == "oversample"
