"""The control whose synthetic images have shuffled labels: what do the classes of synthetic images teach?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_CAME_OF_IT = {"steps", "seconds", "processor_seconds", "stopped_early", "device"}
"""What a logged phase has besides what was asked for."""


def shuffled_twin(name: str, phases: Mapping[str, Sequence[Mapping[str, Any]]]) -> str | None:
    """The strategy that is the same training but for shuffled labels on the synthetic images.

    Args:
      name: of a strategy.
      phases: the logged phases of every strategy.

    Returns:
      Its name; None where the run trained none.
    """
    wanted = _asked(phases[name])
    for other, logged in phases.items():
        asked = _asked(logged)
        is_shuffled = any(phase.get("labels") == "shuffled" for phase in asked)
        if is_shuffled and [{**phase, "labels": None} for phase in asked] == wanted:
            return other
    return None


def _asked(phases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in phase.items() if key not in _CAME_OF_IT} for phase in phases]
