"""Where an executor may keep files between runs: interrupted training, decoded images, content hashes."""

from __future__ import annotations

import os
from pathlib import Path

from evenhand.data.fingerprint import STATE_VARIABLE


def state_folder(*parts: str) -> Path | None:
    """A folder of that name below the run's state, or None where the run keeps no state (a container)."""
    root = os.environ.get(STATE_VARIABLE)
    return Path(root, *parts) if root else None
