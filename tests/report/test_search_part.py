"""What a search tried, and what strategies cost, in the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from evenhand.report.collect import Evidence, build_result
from evenhand.report.render import render_html, render_markdown
from evenhand.report.result import Result
from evenhand.report.search_part import FILE_NAME, SearchPart, SearchRound, Tried, TriedGenerator

PART = SearchPart(
    budget="30m",
    seconds=1700.0,
    validation_images=120,
    smallest_class=4,
    tried=(
        Tried(
            stage="remedies",
            strategy="oversample",
            setting={"training.learning_rate": 0.003},
            rounds=(SearchRound(steps=30, seconds=4.0, score=0.5, standard_error=0.03),),
            fate="kept",
        ),
        Tried(stage="synthetic images", strategy="mixup", generator="cgan", fate="round 1: <b>no time left|</b>"),
    ),
    generators=(TriedGenerator(name="cgan", seconds=65.0, fate="trained"),),
    chosen=("baseline", "oversample"),
    notes=("Remedies, round 1: 2 of 3 were within one standard error of the best.",),
    settled="0123456789abcdef",
)


@pytest.fixture(scope="module")
def result(make_evidence: Callable[..., Evidence]) -> Result:
    evidence = make_evidence()
    known = {
        **evidence.strategies,
        "oversample": dataclasses.replace(evidence.strategies["oversample"], core_hours=0.125),
    }
    return build_result(dataclasses.replace(evidence, strategies=known))


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_what_was_tried_is_told(result: Result, render: Callable[[Result], str]) -> None:
    page = render(result.model_copy(update={"search": PART}))
    for words in ("What was tried before", "30m", "28 min 20 s", "120 validation images", "within one standard error"):
        assert words in page
    assert "30: 50.0" in page and "kept" in page and "1 min 5 s" in page
    assert "<b>no time" not in page or render is render_markdown
    assert "What was tried before" not in render(result)


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_core_hours_are_told_where_they_are_known(result: Result, render: Callable[[Result], str]) -> None:
    page = render(result)
    assert "core-" in page and "0.12" in page and "unknown" in page


def test_an_old_result_has_no_core_hours(result: Result) -> None:
    old = result.model_dump(mode="json")
    for strategy in old["strategies"].values():
        strategy.pop("core_hours")
    old.pop("search")
    read = Result.model_validate(old)
    assert read.search is None and read.strategies["oversample"].core_hours is None
    assert "unknown" in render_html(read)


def test_a_search_belongs_to_the_config_that_it_settled_on(tmp_path: Path) -> None:
    assert SearchPart.load(tmp_path, "0123456789abcdef") is None
    (tmp_path / FILE_NAME).write_text(PART.model_dump_json())
    assert SearchPart.load(tmp_path, "0123456789abcdef") == PART
    assert SearchPart.load(tmp_path, "fedcba9876543210") is None
