"""Pictures of reports for the docs, taken in headless Chromium.

    python -m benchmarks.screenshots report=runs/published/demo-seed0 fashion-mnist=runs/published/fashion-mnist-seed0

Writes docs/images/<name>.png, the first 1,500 pixels of the page on a light screen, and with `--dark` <name>-dark.png.
Needs Chromium and chromedriver.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.pages import DOCS

WIDTH, HEIGHT = 1100, 1500


def browser(profile: str) -> Any:
    """Headless Chromium, which must be installed."""
    from selenium import webdriver

    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        raise SystemExit("Chromium and chromedriver are not installed (Debian: chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def take(chromium: Any, page: Path, target: Path, theme: str) -> None:
    """Writes the picture of a page."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    chromium.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    chromium.get(page.absolute().as_uri())
    taken = chromium.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(base64.b64decode(taken["data"]))
    print(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="+", metavar="NAME=RUN", help="name of the picture, and the run's folder")
    parser.add_argument("--dark", action="store_true", help="on a dark screen, too")
    parser.add_argument("--output", type=Path, default=DOCS / "images")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evenhand-screenshots-") as profile:
        chromium = browser(profile)
        try:
            for name, _, run in (text.partition("=") for text in arguments.pages):
                page = Path(run, "report.html")
                if not page.is_file():
                    parser.error(f"there is no {page}")
                take(chromium, page, arguments.output / f"{name}.png", "light")
                if arguments.dark:
                    take(chromium, page, arguments.output / f"{name}-dark.png", "dark")
        finally:
            chromium.quit()


if __name__ == "__main__":
    main()
