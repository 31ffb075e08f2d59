"""The rating page in a real browser: keys, buttons and undo work, and no request leaves the machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evenhand.report.collect import Evidence
from evenhand.report.ratings import RaterFile
from tests.report.human_study import Server, serving, write_run

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def run(make_evidence: Callable[..., Evidence], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("human") / "run", make_evidence)


@pytest.fixture(scope="module")
def server(run: Path, browser: Any) -> Iterator[Server]:
    with serving(run, "--per-class", 1) as started:
        yield started


def saved(run: Path) -> list[int]:
    file = run / "ratings" / "me.json"
    return [r.rating for r in RaterFile.model_validate_json(file.read_bytes()).ratings] if file.exists() else []


def wait_for(condition: Callable[[], bool]) -> None:
    """Lets the page answer; fails after half a minute."""
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("the page did not get there")


def test_a_study_by_keys_and_buttons(browser: Any, server: Server, run: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(server.url)

    def place() -> str:
        return browser.find_element("id", "place").text

    def press(key: str) -> None:
        browser.find_element("tag name", "body").send_keys(key)

    wait_for(lambda: browser.execute_script("return document.getElementById('image').naturalWidth") == 16)
    assert place() == "Image 1 of 6"
    assert browser.find_element("id", "image").get_attribute("alt").startswith("Image 1, which should show ")
    assert not browser.find_element("id", "undo").is_enabled()
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")

    press("4")
    wait_for(lambda: place() == "Image 2 of 6")
    assert saved(run) == [4]
    browser.find_element("css selector", "button[data-rating='2']").click()
    wait_for(lambda: place() == "Image 3 of 6")
    assert saved(run) == [4, 2]
    press(Keys.BACKSPACE)
    wait_for(lambda: place() == "Image 2 of 6")
    assert saved(run) == [4]
    # Buttons are reached and pressed without a mouse, and say what they mean.
    browser.find_element("css selector", "button[data-rating='5']").send_keys(Keys.ENTER)
    wait_for(lambda: place() == "Image 3 of 6")
    label = browser.switch_to.active_element.accessible_name
    assert label == "5, completely real"
    assert "Image 3 of 6" in browser.find_element("css selector", "[role=status]").get_attribute("textContent")
    for key in ("x", "0", "6", Keys.ESCAPE):
        press(key)
    assert saved(run) == [4, 5]

    browser.refresh()
    wait_for(lambda: place() == "Image 3 of 6")
    for number, key in enumerate("1234", start=3):
        press(key)
        wait_for(lambda: len(saved(run)) == number)  # noqa: B023
        wait_for(lambda: place() != f"Image {number} of 6")  # noqa: B023
    assert saved(run) == [4, 5, 1, 2, 3, 4]
    assert browser.find_element("id", "done").is_displayed()
    assert not browser.find_element("id", "image").is_displayed()
    press("u")
    wait_for(lambda: place() == "Image 6 of 6")
    press("1")
    wait_for(lambda: saved(run) == [4, 5, 1, 2, 3, 1])

    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert any(url.endswith(".png") for url in urls)
    assert [url for url in urls if not url.startswith(("data:", server.url))] == []


def test_a_server_that_is_gone_is_told(browser: Any, run: Path) -> None:
    with serving(run, "--per-class", 1, "--rater", "second") as server:
        browser.get(server.url)
        server.end()
        browser.find_element("tag name", "body").send_keys("3")
        wait_for(lambda: "Not saved" in browser.find_element("css selector", "[role=alert]").text)
        assert browser.find_element("id", "place").text == "Image 1 of 6"
