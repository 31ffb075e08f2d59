"""What a runner tells of each node: when it starts and ends, and where its artifacts lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StageEvent:
    """A node starts or ends.

    Attributes:
      name: the node's id.
      index: position of the node, from 0.
      total: nodes of the graph.
      state: `started`, `done`, or `cached` when an earlier run's artifacts serve.
      seconds: the node took now; None when it starts.
    """

    name: str
    index: int
    total: int
    state: Literal["started", "done", "cached"]
    seconds: float | None = None


@dataclass(frozen=True)
class StageOutcome:
    """What one node left behind.

    Attributes:
      name: the node's id.
      seconds: the time its work took when it was done, also when it is cached now.
      processor_seconds: of all cores together, in the attempt that ended.
      outputs: output key -> folder of its artifact.
      properties: output key -> the artifact's custom properties that are text.
    """

    name: str
    seconds: float
    processor_seconds: float
    outputs: Mapping[str, str]
    properties: Mapping[str, Mapping[str, str]]


OnStage = Callable[[StageEvent], None]
