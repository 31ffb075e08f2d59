"""Each generator in the whole pipeline, by the command that a user gives: short trainings, the whole path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evenhand import registry
from evenhand.report.result import Result
from tests.pipeline.conftest import evenhand

NAMES = [name for name in registry.names("models.generators") if name not in ("folder", "spade")]

SHORT = [
    "classifier.name=cnn",
    "training={steps: 60, batch_size: 32}",
    "strategies=[baseline, pretrain_finetune]",
    "synthetic.per_class=64",
    "generator.steps=100",
    "generator.batch_size=32",
]


def _short(name: str) -> str:
    """The generator's section: 100 steps, of which a warm-up may take few."""
    options = "{warm_up_steps: 20}" if name in ("bagan", "polarity_gan") else "{}"
    return f"{{name: {name}, steps: 100, batch_size: 32, options: {options}}}"


def _run(recipe: str, output: Path, settings: list[str]) -> Result:
    words = [word for setting in [*SHORT, *settings] for word in ("--set", setting)]
    done = evenhand("run", recipe, "--output", output, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return Result.load(output)


def _check(result: Result, name: str) -> None:
    assert result.generator is not None and result.generator.name == name
    assert all(counts.synthetic == 64 for counts in result.data.classes)
    arms = set(result.strategies)
    assert arms == {"baseline", "pretrain_finetune", "pretrain_finetune_matched"}
    assert {row.versus for row in result.comparison if row.strategy == "pretrain_finetune"} >= {"matched", "baseline"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_on_digits(name: str, tmp_path: Path) -> None:
    _check(_run("digits", tmp_path / "run", [f"generator={_short(name)}"]), name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_on_fashion_mnist_each_class_half_of_the_one_before(name: str, tmp_path: Path, datasets: Path) -> None:
    source = datasets / "fashion_mnist.npz"
    settings = [f"generator={_short(name)}", f"data.path={source}"]
    result = _run("fashion-mnist-cgan-high", tmp_path / "run", settings)
    _check(result, name)
    trained_on = np.array([counts.train + counts.validation for counts in result.data.classes])
    assert trained_on[0] > 1.9 * trained_on[1] and trained_on.min() < 20


@pytest.mark.slow
def test_spade_on_sign_language_digits(tmp_path: Path, datasets: Path, hand_model: Path) -> None:
    pytest.importorskip("mediapipe", reason="mediapipe is not installed (extra `pose`)")
    settings = [
        "generator.name=spade",
        f"data.path={datasets / 'sign_language_digits'}",
        "data.image_size=32",
        f"data.keypoints={{model: {hand_model}}}",
    ]
    result = _run("sign-language-digits", tmp_path / "run", settings)
    _check(result, "spade")
    assert result.data.without_hand is not None and len(result.data.without_hand) < 10
