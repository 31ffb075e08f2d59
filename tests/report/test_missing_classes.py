"""Classes without a synthetic image are told with the comparisons that they touch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from evenhand import registry
from evenhand.data.blend import Draws
from evenhand.data.image_table import ImageTable
from evenhand.models.matched import matched_phases
from evenhand.models.sample_generator import plan
from evenhand.models.train_classifier import phase_draws
from evenhand.report.collect import Evidence, build_result
from evenhand.report.markdown import cell
from evenhand.report.missing_classes import missing_classes
from evenhand.report.render import render_html, render_markdown, render_terminal

NAMES, REAL = ("Cat", "dog", "eel"), (12, 6, 2)
STRATEGIES = ("pretrain_finetune", "mixup", "combined")


def phases_of(name: str) -> Any:
    module = registry.load("models.strategies", name)
    return module.phases(module.Options())


def table(counts: tuple[int, ...]) -> ImageTable:
    labels = np.repeat(np.arange(3), counts).astype(np.int32)
    return ImageTable(np.zeros((len(labels), 2, 2, 1), np.uint8), labels, labels.astype(str), NAMES)


def is_drawn_as_its_twin(name: str, synthetic: tuple[int, ...]) -> bool:
    """Whether every phase of a strategy draws the classes as its twin does."""

    def law(draws: Draws, phase: Any) -> Any:
        counts = draws.class_counts(phase.mixing)
        return counts / counts.sum()

    found = []
    twin = matched_phases(phases_of(name))
    assert twin is not None
    for one, other in zip(phases_of(name), twin, strict=True):
        images = table(synthetic) if one.on == "synthetic" else table(REAL)
        drawn = phase_draws(one, images, table(synthetic), batch_size=10, seed=0)
        like = phase_draws(other, table(REAL), None, batch_size=10, seed=0)
        found.append(np.allclose(law(drawn, one), law(like, other)))
    return all(found)


@pytest.mark.parametrize(
    "synthetic", [(9, 9, 9), (5, 5, 5), (1, 2, 30), (9, 9, 0), (0, 9, 9), (0, 9, 0), plan("balance", REAL)]
)
def test_a_comparison_is_named_just_where_the_classes_are_drawn_otherwise(synthetic: tuple[int, ...]) -> None:
    for name in (*STRATEGIES, "regularizer", "synthetic_only"):
        phases = {name: [phase.model_dump(mode="json") for phase in phases_of(name)]}
        assert bool(missing_classes(NAMES, REAL, synthetic, phases)) != is_drawn_as_its_twin(name, synthetic)


def test_strategies_that_lack_the_same_classes_share_a_sentence() -> None:
    phases = {name: [phase.model_dump(mode="json") for phase in phases_of(name)] for name in STRATEGIES}
    both, alone = missing_classes(NAMES, REAL, (0, 9, 0), phases)
    assert both == (
        "there is no synthetic image of Cat and eel: matched arms draw real ones in their place, so that the "
        "comparison of pretrain_finetune and mixup with theirs is not of the images alone"
    )
    # The largest class lacks nothing.
    assert alone.startswith("there is no synthetic image of eel: ") and "comparison of combined with" in alone
    bounded = [phase.model_copy(update={"blend": phase.blend.model_copy(update={"most": 0.4})}) for phase in
               phases_of("combined")]  # fmt: skip
    few = {"combined": [phase.model_dump(mode="json") for phase in bounded]}
    assert missing_classes(NAMES, REAL, (9, 9, 0), few) == [], "0.4 times two images are none"


def test_it_stands_among_the_findings_and_in_every_report(make_evidence: Callable[..., Evidence]) -> None:
    evidence = make_evidence(class_names=NAMES)
    known = {"name": "cgan", "scores": None, "findings": ("it collapsed",)}
    told = dataclasses.replace(evidence, synthetic_counts=[0, 9, 9], generator=known)
    result = build_result(told)
    assert result.generator is not None
    collapsed, missing = result.generator.findings
    assert collapsed == "it collapsed"
    assert missing.startswith("there is no synthetic image of Cat: ")
    assert "comparison of pretrain_finetune with" in missing
    assert missing[1:] in render_html(result), "names keep their capitals"
    assert cell(missing) in render_markdown(result)
    console = Console(width=400, record=True)
    render_terminal(result, console)
    assert f"cgan: {missing}" in console.export_text()
    assert build_result(evidence).generator.findings == ()  # type: ignore[union-attr]
