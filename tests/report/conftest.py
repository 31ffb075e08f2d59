"""Evidence of a run, built from arrays: a long tail on which each strategy is right with a known probability.

And a browser, for the tests marked `chromium`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from evenhand.report.collect import Evidence, StrategyEvidence
from evenhand.report.predictions import Predictions

NUM_TEST = 45


def predictions(seed: int, recalls: np.ndarray, *, num_test: int = NUM_TEST, num_validation: int = 4) -> Predictions:
    """Predictions whose recall of class k is about `recalls[k]`; each image is as hard for every strategy."""
    num_classes = len(recalls)
    parts = []
    for split, count in (("validation", num_validation), ("test", num_test)):
        labels = np.repeat(np.arange(num_classes), count)
        hardness = np.random.default_rng(len(split)).random(len(labels))
        hardness += np.random.default_rng([seed, len(split)]).normal(0, 0.05, len(labels))
        right = hardness < recalls[labels]
        p = np.full((len(labels), num_classes), 0.2 / num_classes)
        p[np.arange(len(labels)), np.where(right, labels, (labels + 1) % num_classes)] += 0.8
        ids = [f"{split}/{i:05d}.png" for i in range(len(labels))]
        parts.append((ids, [split] * len(labels), labels, p))
    ids, splits, labels, p = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Predictions.of(seed, ids, splits, labels, p)


def curve(start: float, steps: int = 600) -> list[dict[str, float]]:
    """A history that falls smoothly."""
    return [
        {
            "step": float(s),
            "loss": start * float(np.exp(-s / 200)) + 0.05,
            "accuracy": 1 - float(np.exp(-s / 150)) * 0.9,
        }
        for s in range(20, steps + 1, 20)
    ]


@pytest.fixture(scope="session")
def make_evidence() -> Callable[..., Evidence]:
    """Builds evidence; arguments set the seeds, the class names, the gain of synthetic images and validation."""

    def make(
        seeds: tuple[int, ...] = (0,),
        class_names: tuple[str, ...] = tuple(f"digit {k}" for k in range(10)),
        gain: float = 0.28,
        num_validation: int = 4,
        num_test: int = NUM_TEST,
    ) -> Evidence:
        num_classes = len(class_names)
        tail = np.linspace(0, 1, num_classes)

        def strategy(recalls: np.ndarray, phases: tuple[str, ...], matched: str | None = None, added: bool = False):
            rows = [predictions(s, recalls, num_test=num_test, num_validation=num_validation) for s in seeds]
            return StrategyEvidence(
                predictions=rows,
                phases=[{"on": on, "share": 1 / len(phases), "loss": "cross_entropy"} for on in phases],
                steps=600,
                uses_synthetic="synthetic" in phases,
                matched=matched,
                added=added,
                blessed=True,
                history=curve(2.0 + recalls[-1]),
            )

        train = [max(2, int(np.ceil(100 * 0.65**k))) for k in range(num_classes)]
        return Evidence(
            data={
                "class_names": list(class_names),
                "counts": {
                    "train": train,
                    "validation": [num_validation] * num_classes,
                    "test": [num_test] * num_classes,
                },
                "source": "digits",
                "fingerprint": "0123456789abcdef",
                "skipped": [["broken.png", "not an image"]],
                "duplicates": 3,
            },
            synthetic_counts=[1000] * num_classes,
            strategies={
                "baseline": strategy(0.98 - 0.5 * tail, ("real",)),
                "oversample": strategy(0.97 - 0.38 * tail, ("real",)),
                "balanced_softmax": strategy(0.95 - 0.25 * tail, ("real",)),
                "pretrain_finetune": strategy(0.97 - (0.38 - gain) * tail, ("synthetic", "real"), "matched_arm"),
                "matched_arm": strategy(0.96 - 0.36 * tail, ("real", "real"), added=True),
            },
            selected="pretrain_finetune",
            generator={"name": "cgan", "scores": None},
        )

    return make


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium that logs what it requests."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("Chromium and chromedriver are not installed (Debian: chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()
