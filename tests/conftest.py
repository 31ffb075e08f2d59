"""Real data and models where they are at hand, and which tests belong together."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A shell starts its background jobs, these tests perhaps among them, with SIGINT ignored, and so would be the processes
# that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps together on one worker what shares something slow to make: a module's tests, and all that read one run."""
    for item in items:
        group = "tiny_run" if "tiny_run" in getattr(item, "fixturenames", ()) else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


def _shared() -> Path:
    return Path(os.environ.get("EVENHAND_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder of the data sets."""
    folder = _shared() / "datasets"
    if not folder.is_dir():
        pytest.skip(f"no data sets at {folder} (set EVENHAND_SHARED)")
    return folder


@pytest.fixture(scope="session")
def hand_model() -> Path:
    """MediaPipe's hand landmarker."""
    file = _shared() / "models" / "hand_landmarker.task"
    if not file.is_file():
        pytest.skip(f"no hand landmarker at {file} (set EVENHAND_SHARED)")
    return file
