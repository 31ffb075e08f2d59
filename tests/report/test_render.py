"""The report as text: escaped, self-contained, complete in HTML, Markdown and the terminal."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from rich.console import Console

from evenhand.report import evidence, figures
from evenhand.report.collect import Evidence, build_result
from evenhand.report.model_card import model_card
from evenhand.report.render import render_html, render_markdown, render_terminal
from evenhand.report.result import Result
from evenhand.report.samples import Sample
from evenhand.report.verdict import judge, points
from evenhand.report.view import arrange

NASTY = "<script>alert(1)</script>|`x`"


@pytest.fixture(scope="module")
def result(make_evidence: Callable[..., Evidence]) -> Result:
    return build_result(make_evidence()).completed("demo", {"seed": 0}, {"evenhand": "0.1.0"}, {"Trainer": 100.0})


@pytest.fixture(scope="module")
def nasty(make_evidence: Callable[..., Evidence]) -> Result:
    return build_result(make_evidence(class_names=(NASTY, "[red]b[/red]", '" onload="x', "d"), num_test=20))


class Tags(HTMLParser):
    """Collects tags and attributes, and checks that what opens is closed."""

    VOID = {"meta", "link", "img", "br", "path"}

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    return tags


def test_the_page_loads_nothing(result: Result) -> None:
    page = render_html(
        result, [Sample("digit 0", "real", "digits/1", b"png"), Sample("digit 0", "synthetic", "s", b"x")]
    )
    for tag, attributes in parsed(page).tags:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
    assert not re.search(r"@import|url\(", page)
    assert "default-src 'none'" in page
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page, "the browser would not run it"


def test_names_from_the_data_are_escaped_everywhere(nasty: Result) -> None:
    page = render_html(nasty, [Sample(NASTY, "real", '"><img src=x>', b"png")])
    tags = parsed(page).tags
    assert page.count("<script") == 1
    assert all("onload" not in attributes for _, attributes in tags)
    assert sum(tag == "img" for tag, _ in tags) == 1
    text = render_markdown(nasty)
    assert "<script" not in text
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")]
    assert len(set(widths[: widths.index(widths[-1])])) <= 2


def test_every_number_of_the_table_stands_in_the_page(result: Result) -> None:
    page = render_html(result)
    for counts in result.data.classes:
        assert f'<th scope="row" class="name">{counts.name}</th><td class="number">{counts.train}</td>' in page
    for name, strategy in result.strategies.items():
        assert name in page
        assert f"{100 * strategy.test.balanced_accuracy:.1f}%" in page
    for words in (
        "6 of 10 classes",
        "Learning curves",
        "0123456789abcdef",
        "1 min 40 s",
        "broken.png",
        "not of the method",
    ):
        assert words in page


def test_markdown_has_one_row_per_class_and_strategy(result: Result) -> None:
    lines = render_markdown(result).splitlines()
    assert lines[0] == "# demo: Synthetic images helped"
    assert sum(line.startswith("| digit ") for line in lines) == 10
    assert "| digit 9 | 3 | 1000 | 45 | 51 (37–65) |" in "\n".join(lines)
    assert "; 1 left out (broken.png: not an image), 3 duplicates. Seeds: 0." in "\n".join(lines)
    tables = "\n".join(lines).split("\n\n")
    for block in tables:
        if block.startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_terminal_shows_each_strategy_in_any_width(result: Result, width: int) -> None:
    stream = io.StringIO()
    render_terminal(result, Console(file=stream, width=width))
    text = stream.getvalue()
    assert max(len(line) for line in text.splitlines()) <= width
    for name in result.strategies:
        first, *rest = name.split("_")
        assert first in text
        assert all(part in text for part in rest)
    assert "51  37–65" in text
    assert "+27 ▲" in text
    assert "not of the method" in " ".join(text.split())


def test_the_terminal_shows_names_as_they_are(nasty: Result) -> None:
    stream = io.StringIO()
    render_terminal(nasty, Console(file=stream, width=160))
    assert "[red]b[/red]" in stream.getvalue()


def test_several_seeds_are_shown_as_dots(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence(seeds=(0, 1, 2)))
    page = render_html(result)
    assert page.count('class="seed"') == 3 * len(result.strategies)
    assert "seeds</dt><dd>0, 1, 2" in page


def test_a_class_without_test_images_says_so(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence(class_names=("a", "b"), num_test=3))
    assert "only 3 test images, too few to rank" in render_html(result)


def test_axes_hold_what_they_show() -> None:
    track = figures.around_zero([-0.02, 0.13, None])
    assert (track.start, track.stop, track.at(0), track.at(9)) == (-0.2, 0.2, 50.0, 100.0)
    assert track.bar(-0.1, 0.1) == "left:25.0%;width:50.0%"
    assert figures.of_shares([0.63, 0.8]).start == 0.6
    assert figures.around_zero([]).stop > 0


def test_curves_start_and_end_where_the_values_are() -> None:
    rows = [{"step": 0, "loss": 2.0, "learning_rate": 1.0}, {"step": 10, "loss": 1.0, "learning_rate": 0.5}]
    (chart,) = figures.learning_curves({"baseline": rows, "empty": []}, width=100, height=50)
    assert (chart.title, chart.bottom, chart.top, chart.steps) == ("loss", 0.0, 2.0, 10)
    assert chart.curves[0].path == "M0.0 0.0L100.0 25.0"


def test_what_is_wrong_with_the_generator_is_told_everywhere(result: Result) -> None:
    assert result.generator is not None
    finding = "collapsed: the synthetic images of 'digit 9' are nearly all the same"
    warned = result.model_copy(update={"generator": result.generator.model_copy(update={"findings": (finding,)})})
    assert "nearly all the same" in render_html(warned)
    assert finding in render_markdown(warned)
    stream = io.StringIO()
    render_terminal(warned, Console(file=stream, width=200))
    assert finding in stream.getvalue()


def test_images_without_a_hand_are_counted_and_named(make_evidence: Callable[..., Evidence]) -> None:
    evidence = make_evidence()
    looked = dataclasses.replace(evidence, data={**evidence.data, "without_hand": ["fist/7.png", "palm/9.png"]})
    for page in (render_html(build_result(looked)), render_markdown(build_result(looked))):
        assert "fist/7.png" in page and "palm/9.png" in page
    assert "without a hand" not in render_html(build_result(evidence))


def test_the_generator_is_shown_with_its_losses_and_scores(make_evidence: Callable[..., Evidence]) -> None:
    rows = [
        {"step": float(s), "generator_loss": 1 / s, "discriminator_loss": 0.5, "real_accuracy": 0.9} for s in (1, 2)
    ]
    scores = {"extractor": "cnn-1234", "fid": 1.25, "num_real": 7, "per_class": [{"class": NASTY, "fid": None}]}
    evidence = dataclasses.replace(make_evidence(), generator={"name": "cgan", "scores": scores, "history": rows})
    page = render_html(build_result(evidence))
    parsed(page)
    for words in ("generator loss: 0.5 at the end", "real accuracy: 0.9 at the end", "cnn-1234", "1.25"):
        assert words in page
    assert NASTY not in page


def test_the_page_tells_how_the_hardware_was_used(make_evidence: Callable[..., Evidence]) -> None:
    evidence = make_evidence()
    phase = {"on": "real", "device": {"distribution": "none", "steps_per_execution": 4}}
    told = dataclasses.replace(evidence.strategies["baseline"], phases=[phase])
    page = render_html(
        build_result(dataclasses.replace(evidence, strategies={**evidence.strategies, "baseline": told}))
    )
    assert "on real, device (distribution none, steps per execution 4)" in page


def test_training_on_synthetic_images_alone_is_called_so(result: Result) -> None:
    phases = result.strategies["pretrain_finetune"].phases
    only = result.strategies["pretrain_finetune"].model_copy(update={"phases": phases[:1]})
    kinds = {row.name: row.kind for row in arrange(result).strategies}
    assert kinds["pretrain_finetune"] == "real and synthetic images"
    assert (kinds["baseline"], kinds["matched_arm"]) == ("real images", "real images, added for comparison")
    alone = result.model_copy(update={"strategies": {**result.strategies, "pretrain_finetune": only}})
    assert {row.name: row.kind for row in arrange(alone).strategies}["pretrain_finetune"] == "synthetic images alone"
    assert "which trains on synthetic images alone, recognises" in render_html(alone)
    assert "| pretrain\\_finetune (selected) | synthetic images alone |" in render_markdown(alone)
    assert "trained on synthetic images alone, chosen" in model_card(alone)


def test_every_measure_has_its_change_and_interval(result: Result) -> None:
    judgement = judge(result)
    assert judgement is not None
    page = render_html(result)
    for part in judgement.main.measures:
        if part.measure != "matthews":
            ends = f"<small>{points(part.low)} to {points(part.high)}</small>"
            assert f"<b>{points(part.change)}</b><br>{ends}" in page, part.measure
    assert {part.measure for part in judgement.main.measures} == set(evidence.MEASURES) - {"balanced_accuracy"}


def test_lines_of_many_strategies_differ_in_colour_or_dashes() -> None:
    assert len({figures.stroke(number) for number in range(24)}) == 24
    assert len({figures.swatch(number) for number in range(24)}) == 24
