"""The real-only twin of a strategy."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.config import Augmentation
from evenhand.models.matched import matched_phases
from evenhand.models.phase import Phase


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
            assert (one.share, one.learning_rate, one.augmentation) == (
                other.share,
                other.learning_rate,
                other.augmentation,
            )


def test_only_synthetic_phases_change_and_they_draw_classes_alike():
    turned = Augmentation(rotation=10)
    first = Phase(on="synthetic", share=0.4, learning_rate=0.5, augmentation=turned)
    second = Phase(on="real", share=0.6, loss="balanced_softmax")
    assert matched_phases((first, second)) == (
        Phase(on="real", share=0.4, sampling="balanced", learning_rate=0.5, augmentation=turned),
        second,
    )


def test_a_twin_has_no_twin():
    twin = matched_phases((Phase(on="synthetic"),))
    assert twin is not None
    assert matched_phases(twin) is None
