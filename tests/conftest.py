"""Real data and models, where they are at hand."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import evenhand

# Before any test loads TensorFlow, whose kernels it chooses.
assert evenhand.__version__

ROOT = Path(__file__).parents[1]
SHARED_RUN = "tiny_run"

# A shell starts its background jobs, these tests perhaps among them, with SIGINT ignored, and so would be the processes
# that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A process tests whole files; those that look at the shared run are one group, which makes it once, and first."""
    groups = {item: _group(item) for item in items}
    items.sort(key=lambda item: groups[item] != SHARED_RUN)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups[item]))


def _group(item: pytest.Item) -> str:
    return SHARED_RUN if SHARED_RUN in getattr(item, "fixturenames", ()) else item.nodeid.partition("::")[0]


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
