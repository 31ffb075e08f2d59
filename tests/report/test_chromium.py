"""The report in a real browser: nothing fails, nothing is requested, nothing sticks out, in light and dark."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evenhand.report.collect import Evidence, build_result
from evenhand.report.render import render_html
from evenhand.report.samples import Sample

pytestmark = pytest.mark.chromium

NASTY = "<img src=https://example.org/x onerror=alert(1)>"


def image() -> bytes:
    stream = BytesIO()
    Image.fromarray(np.full((8, 8), 90, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def page(make_evidence: Callable[..., Evidence], tmp_path_factory: pytest.TempPathFactory) -> str:
    evidence = make_evidence(class_names=(NASTY, *(f"class {k}" for k in range(9))), seeds=(0, 1))
    result = build_result(evidence).completed(NASTY, {"name": NASTY}, {"evenhand": "0.1.0"}, {"Trainer": 3.0})
    samples = [
        Sample(name, source, NASTY, image()) for name in evidence.class_names for source in ("real", "synthetic")
    ]
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_html(result, samples), encoding="utf-8")
    return path.as_uri()


def open_page(browser: Any, page: str, theme: str = "light", width: int = 1280) -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page)


def test_no_error_and_no_request_leaves_the_page(browser: Any, page: str) -> None:
    import json

    browser.get_log("performance")
    browser.get_log("browser")
    open_page(browser, page)
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert [url for url in urls if not url.startswith(("data:", page))] == []


def test_the_verdict_the_classes_and_the_images_are_seen(browser: Any, page: str) -> None:
    open_page(browser, page)
    text = browser.find_element("tag name", "body").text
    for words in (
        "Synthetic images helped",
        "10 classes",
        NASTY,
        "Every strategy",
        "with 2 seeds this speaks of these models",
    ):
        assert words in text
    script = "return [...document.images].map(i => i.complete && i.naturalWidth)"
    assert browser.execute_script(script) == [8] * 20
    browser.find_element("css selector", "details summary").click()
    assert browser.find_element("css selector", "details[open] table.heat").is_displayed()


def test_a_heading_sorts_its_table_both_ways_by_mouse_and_keyboard(browser: Any, page: str) -> None:
    open_page(browser, page)

    def column(number: int) -> list[str]:
        return [
            cell.text for cell in browser.find_elements("css selector", f"#classes tbody tr > :nth-child({number + 1})")
        ]

    before = [int(count) for count in column(1)]
    heading = browser.find_elements("css selector", "#classes thead th")[1]
    heading.find_element("css selector", "button").click()
    assert [int(count) for count in column(1)] == sorted(before)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.find_element("css selector", "button").send_keys("\ue007")
    assert [int(count) for count in column(1)] == sorted(before, reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    browser.find_elements("css selector", "#classes thead th button")[0].click()
    assert column(0) == sorted(column(0), key=str.lower)


def test_strategies_are_sorted_by_what_is_pressed(browser: Any, page: str) -> None:
    open_page(browser, page)
    for heading, number in ((1, 2), (6, 7)):  # balanced accuracy and worst class, both in percent
        browser.find_elements("css selector", "table.wide thead th")[heading].find_element(
            "css selector", "button"
        ).click()
        cells = browser.find_elements("css selector", f"table.wide tbody tr > :nth-child({number})")
        shares = [float(cell.text.rstrip("%")) for cell in cells]
        assert len(shares) > 2 and shares == sorted(shares)


def test_classes_are_found_by_a_part_of_their_name(
    browser: Any, make_evidence: Callable[..., Evidence], tmp_path: Path
) -> None:
    evidence = make_evidence(class_names=tuple(f"sign {k}" for k in range(24)))
    file = tmp_path / "report.html"
    file.write_text(render_html(build_result(evidence)), encoding="utf-8")
    open_page(browser, file.as_uri())
    browser.find_element("css selector", "input[data-filters=classes]").send_keys("N 2")
    names = [cell.text for cell in browser.find_elements("css selector", "#classes tbody th")]
    assert [name for name in names if name] == ["sign 2", "sign 20", "sign 21", "sign 22", "sign 23"]


def test_why_a_class_was_not_ranked_is_read_without_scrolling(
    browser: Any, make_evidence: Callable[..., Evidence], tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_html(build_result(make_evidence(num_test=1))), encoding="utf-8")
    open_page(browser, file.as_uri(), width=1200)
    assert "only 1 test image, too few to rank" in browser.find_element("id", "classes").text.replace("\n", " ")
    script = "const s = document.querySelector('#classes').parentElement; return s.scrollWidth - s.clientWidth"
    assert browser.execute_script(script) <= 0


@pytest.mark.parametrize("width", [1280, 420])
def test_nothing_sticks_out_of_the_page(browser: Any, page: str, width: int) -> None:
    open_page(browser, page, width=width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, page: str, theme: str) -> None:
    open_page(browser, page, theme)
    colours = {
        selector: browser.execute_script(
            "const s = getComputedStyle(document.querySelector(arguments[0])); return [s.color, s.backgroundColor]",
            selector,
        )
        for selector in ("h1", "tbody th.name", ".soft", ".chip.helped", "section")
    }

    def luminance(colour: str) -> float:
        parts = np.array([float(x) for x in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
        linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    card = colours.pop("section")[1]
    for selector, (ink, ground) in colours.items():
        pair = sorted((luminance(ink), luminance(card if ground.endswith(", 0)") else ground)))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, selector
    assert (luminance(card) < 0.2) == (theme == "dark")
