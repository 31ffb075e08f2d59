"""What benchmarks measured: finished parts are kept, so that an interrupted study goes on, and written to the docs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from evenhand.whole_files import replace_text

DOCS = Path(__file__).parents[1] / "docs"
RECORDS = Path(__file__).parent / "records"
"""Finished parts of studies that take hours: committed, so that a study may take several sittings and machines."""
NO_ACCELERATOR = "no accelerator"


def machine() -> str:
    """Class of this machine, without its name, and how much of it this process may use."""
    cores, usable = os.cpu_count(), len(os.sched_getaffinity(0))
    accelerators = [device["device_name"] for device in map(_details, tf.config.list_physical_devices("GPU"))]
    return (
        f"{cores if usable == cores else f'{usable} of {cores}'} CPU cores ({platform.machine()}), "
        f"{', '.join(accelerators) or NO_ACCELERATOR}"
    )


def _details(device: Any) -> dict[str, Any]:
    found: dict[str, Any] = tf.config.experimental.get_device_details(device)
    return found


def commit() -> str:
    """The commit of the code, in short; empty where git does not tell."""
    command = ["git", "-C", str(DOCS.parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def once(file: Path, make: Callable[[], Any]) -> Any:
    """What the file holds, made and written the first time."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, json.dumps(make(), indent=1))
    return json.loads(file.read_text())


def write_section(page: Path, title: str, text: str) -> None:
    """Replaces a section of a Markdown page, or adds it at the end."""
    heading = f"## {title}"
    before, _, rest = page.read_text(encoding="utf-8").rstrip("\n").partition(f"\n{heading}\n")
    _, mark, after = rest.partition("\n## ")
    replace_text(page, f"{before.rstrip()}\n\n{heading}\n\n{text}\n{mark}{after}".rstrip("\n") + "\n")
