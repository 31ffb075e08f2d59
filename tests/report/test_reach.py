"""The report by keyboard, screen reader and printer, in a real browser."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenhand.report.collect import Evidence, build_result
from evenhand.report.render import render_html

pytestmark = pytest.mark.chromium

CLASSES = tuple(f"sign {k}" for k in range(14))


@pytest.fixture(scope="module")
def page(make_evidence: Callable[..., Evidence], tmp_path_factory: pytest.TempPathFactory) -> str:
    evidence = make_evidence(class_names=CLASSES, seeds=(0, 1))
    result = build_result(evidence).completed("signs", {"name": "signs"}, {"evenhand": "0.1.0"}, {"Trainer": 3.0})
    path: Path = tmp_path_factory.mktemp("reach") / "report.html"
    path.write_text(render_html(result), encoding="utf-8")
    return path.as_uri()


def open_page(browser: Any, page: str, width: int = 1280, media: str = "", theme: str = "light") -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page)


def nodes(browser: Any) -> list[tuple[str, str]]:
    """Role and name of everything that a screen reader is told of."""
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node.get("ignored") and "role" in node
    ]


def test_tables_have_named_rows_and_columns_and_bars_are_told_in_words(browser: Any, page: str) -> None:
    open_page(browser, page)
    seen = nodes(browser)
    rows = [name for role, name in seen if role == "rowheader"]
    assert set(CLASSES) <= set(rows)
    columns = [name for role, name in seen if role == "columnheader"]
    assert {"class", "real", "synthetic", "test", "verdict"} <= set(columns)
    bars = [name for role, name in seen if role in ("image", "img")]
    assert all(bars) and sum("with synthetic images" in name for name in bars) == len(CLASSES)
    for role in ("button", "link", "searchbox", "heading", "DisclosureTriangle", "region"):
        assert all(name for found, name in seen if found == role), role
    levels = browser.execute_script("return [...document.querySelectorAll('h1, h2, h3')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))


@pytest.mark.parametrize("width", [1280, 420])
def test_what_is_wider_than_the_page_can_be_reached_by_keyboard(browser: Any, page: str, width: int) -> None:
    open_page(browser, page, width)
    browser.execute_script("for (const part of document.querySelectorAll('details')) part.open = true")
    browser.execute_async_script("setTimeout(arguments[0], 100)")
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].map(b => "
        "[b.scrollWidth > b.clientWidth, b.tabIndex, b.getAttribute('role'), b.getAttribute('aria-label')])"
    )
    wide = [box for box in boxes if box[0]]
    assert wide or width > 1000
    assert all(tab == 0 and role == "region" and label for _, tab, role, label in wide)
    assert all(tab == -1 for is_wide, tab, _, _ in boxes if not is_wide)


def test_paper_is_light_and_holds_what_is_folded_on_the_screen(browser: Any, page: str) -> None:
    open_page(browser, page, media="print", theme="dark")
    ink, card = browser.execute_script(
        "return [getComputedStyle(document.querySelector('h2')).color, "
        "getComputedStyle(document.documentElement).getPropertyValue('--card').trim()]"
    )
    assert max(float(part) for part in ink[ink.index("(") + 1 : -1].split(",")[:3]) < 100
    assert card == "#ffffff"
    count = "return [document.querySelectorAll('details').length, document.querySelectorAll('details[open]').length]"
    total, before = browser.execute_script(count)
    assert before < total
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script(count) == [total, total]
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script(count) == [total, before]
    paper = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"]
    assert base64.b64decode(paper).startswith(b"%PDF")
