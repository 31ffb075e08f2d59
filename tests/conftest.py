"""Real data and models, where they are at hand."""

from __future__ import annotations

import os
import signal
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

import evenhand

# Before any test loads TensorFlow, whose kernels it chooses.
assert evenhand.__version__

ROOT = Path(__file__).parents[1]
SHARED_RUN = "tiny_run"

# Processes that share the tests share the cores; TensorFlow reads this when it is loaded, here and in what tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# A shell starts its background jobs, these tests perhaps among them, with SIGINT ignored, and so would be the processes
# that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


class FilesTogether(LoadFileScheduling):
    """A process tests whole files, and all that look at the shared run, so that it is made once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return SHARED_RUN if _looks_at_the_shared_run(ROOT / file) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesTogether:
    """How `make test` spreads tests over processes."""
    return FilesTogether(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest piece of work, which nothing can split, comes first."""
    items.sort(key=lambda item: not _looks_at_the_shared_run(item.path))


@cache
def _looks_at_the_shared_run(file: Path) -> bool:
    return f"{SHARED_RUN}: " in file.read_text(encoding="utf-8")


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
