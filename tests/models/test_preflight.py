"""What is wrong with the models of a config is told before anything is read or trained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

from evenhand import config_file, registry
from evenhand.config import RunConfig, Section
from evenhand.errors import UserError
from evenhand.models.preflight import check_models, check_run
from evenhand.models.training import device

SMALL = {"classifier": {"name": "cnn"}, "training": {"batch_size": 8}}


def config(**sections: Any) -> RunConfig:
    return config_file.resolve({**SMALL, **sections})


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (
            {"strategies": ["baseline", {"name": "regularizer", "options": {"synthetic_share": 0.01}}]},
            "training.batch_size: 8 images cannot be shared 0.99 to 0.01, as regularizer does; "
            "make it larger, or bring strategies.regularizer.options.synthetic_share nearer to 0.5.",
        ),
        (
            {"strategies": ["baseline", "mixup"], "training": {"batch_size": 1}},
            "training.batch_size: 1 images cannot be shared 0.5 to 0.5, as mixup does; make it larger.",
        ),
        (
            {"classifier": {"name": "cnn", "weights": "imagenet"}},
            "classifier.weights: there are no ImageNet weights of cnn; use null or a local weights file.",
        ),
        (
            {"device": {"distribution": "mirrored", "steps_per_execution": 4}},
            "device.steps_per_execution: 4 steps in one call cannot be shared by devices; use auto or 1.",
        ),
        (
            {"device": {"distribution": "multi_worker"}},
            "device.distribution: should be auto, none, mirrored or tpu, not multi_worker: a node of a pipeline runs "
            "on one machine; use auto, or train by a script of your own on each machine (docs/configuration.md).",
        ),
    ],
)
def test_what_no_machine_can_do_is_told_at_once(sections: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        check_models(config(**sections))
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    "sections",
    [
        {"strategies": ["baseline", {"name": "regularizer", "options": {"synthetic_share": 0.1}}, "combined"]},
        {"strategies": ["baseline", "combined"], "training": {"batch_size": 1}},
        {"classifier": {"name": "resnet50", "weights": "imagenet"}},
        {"device": {"distribution": "mirrored"}},
        {"device": {"distribution": "none", "steps_per_execution": 4}},
        # What another machine has is not known here.
        {"device": {"distribution": "tpu"}},
    ],
)
def test_what_is_possible_passes(sections: dict[str, Any]) -> None:
    check_models(config(**sections))


def test_a_batch_that_the_devices_of_this_machine_cannot_share_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    three = device.ResolvedDevice(SimpleNamespace(num_replicas_in_sync=3), False, "float32", 1)  # type: ignore[arg-type]
    monkeypatch.setattr(device, "resolve", lambda section, name: three)
    mirrored = config(generator={"batch_size": 9}, device={"distribution": "mirrored"})
    check_models(mirrored)
    with pytest.raises(UserError, match=r"^training\.batch_size: 8 images .* 3 devices; use a multiple of 3"):
        check_run(mirrored)
    shared = {"batch_size": 9}
    check_run(config(training=shared, generator=shared))
    # A generator may be trained only after hours of other trainings.
    for strategies in ({}, {"strategies": "auto", "budget": "1h"}):
        with pytest.raises(UserError, match=r"^generator\.batch_size: 64 images .* 3 devices; use a multiple of 3"):
            check_run(config(training=shared, **strategies))
    check_run(config(training=shared, strategies=["baseline", "oversample"]))


@pytest.mark.parametrize("generator", ["bagan", "polarity_gan", "tests.models.own_generator"])
def test_generators_that_may_train_on_one_device_may_have_any_batch(
    generator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = SimpleNamespace(Options=Section, build=None)
    load = registry.load
    monkeypatch.setattr(
        registry, "load", lambda kind, name: own if name.endswith("own_generator") else load(kind, name)
    )
    three = device.ResolvedDevice(SimpleNamespace(num_replicas_in_sync=3), False, "float32", 1)  # type: ignore[arg-type]
    monkeypatch.setattr(device, "resolve", lambda section, name: three)
    check_run(config(training={"batch_size": 9}, generator={"name": generator, "batch_size": 64}))


@pytest.mark.skipif(bool(tf.config.list_logical_devices("TPU")), reason="there is a TPU")
def test_a_missing_tpu_is_told() -> None:
    with pytest.raises(UserError, match=r"^device\.distribution: no TPU was found .*; use auto\.$"):
        check_run(config(device={"distribution": "tpu"}))
