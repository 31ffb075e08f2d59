"""What installs evenhand: locks with hashes and without addresses, one truth for the versions."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-gpu.lock")


def versions(lock: str) -> dict[str, str]:
    """Package -> version pinned in a lock."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+) \\$", (REPOSITORY / lock).read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    text = (REPOSITORY / lock).read_text()
    assert "://" not in text
    assert "index" not in text.partition("==")[0]
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(versions(lock)) > 200
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_gpu_lock_adds_cuda_and_changes_nothing_else() -> None:
    cpu, gpu = (versions(lock) for lock in LOCKS)
    assert {name: gpu[name] for name in cpu} == cpu
    assert "nvidia-cudnn-cu12" in gpu
    assert all(name.startswith("nvidia-") for name in set(gpu) - set(cpu))


@pytest.mark.parametrize("file", ["requirements.in", "requirements-pose.in", "requirements-test.in", "overrides.txt"])
def test_the_lock_holds_what_is_asked_for(file: str) -> None:
    pinned = {name.lower() for name in versions("requirements.lock")}
    asked = re.findall(r"^[A-Za-z0-9._-]+", (REPOSITORY / file).read_text(), flags=re.MULTILINE)
    assert asked
    assert {name.lower().replace("_", "-") for name in asked} <= pinned


def test_the_installed_environment_is_the_lock() -> None:
    pins = versions("requirements.lock")
    for name in ("tensorflow", "keras", "tfx", "apache-beam", "numpy", "pydantic"):
        assert version(name) == pins[name]


def test_the_command_is_installed() -> None:
    [script] = [entry for entry in entry_points(group="console_scripts") if entry.name == "evenhand"]
    assert script.value == "evenhand.cli:main"
    from evenhand import __version__

    assert version("evenhand") == __version__


@pytest.mark.parametrize("module", ["evenhand", "evenhand.cli"])
def test_the_command_runs_as_a_module(module: str) -> None:
    from evenhand import __version__

    done = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert done.stdout == f"evenhand {__version__}\n"


def test_the_changelog_names_this_version() -> None:
    from evenhand import __version__

    assert f"## {__version__}" in (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
