"""Programs that race take turns, each in a process of its own, so that a busy machine slows them all alike.

Two frameworks in one process fight for threads, and may need environments of their own. So each side is a program that
answers questions (`serve`), and the one that compares asks them one after the other (`Worker`): never do two sides
compute at once. Only the standard library is used, so that a side can run where evenhand is not installed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

Clock = Callable[[], float]

THREADS = 2
"""Threads of each side."""

MOST_SECONDS = 5.0
"""Of a side's turn, about: what a machine has no instructions for, such as bfloat16, may take very long."""


class Worker:
    """The process of one side.

    Args:
      command: of the program, which calls `serve`.
      environment: variables of its own.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._name = " ".join(command)
        # Before either framework starts its threads.
        threads = {"OMP_NUM_THREADS": str(THREADS), "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads, **(environment or {})},
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def ask(self, question: str, **arguments: Any) -> Any:
        """The answer of the side's function of that name, JSON both ways.

        Raises:
          RuntimeError: if the function raised, with its last line, or the process ended.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([question, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with code {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]


def serve(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Answers questions until the asking process is done; whatever the functions print goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        question, arguments = json.loads(line)
        try:
            answer = {"value": functions[question](**arguments)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def in_turns(clocks: Mapping[str, Clock], turns: int) -> dict[str, list[float]]:
    """Seconds of every clock in each turn, every turn in the same order."""
    times: dict[str, list[float]] = {name: [] for name in clocks}
    for _ in range(turns):
        for name, clock in clocks.items():
            times[name].append(clock())
    return times


def ratio(slower: Sequence[float], faster: Sequence[float]) -> str:
    """How many times as long `slower` takes: the median over the turns, and the least and most of them."""
    ratios = [a / b for a, b in zip(slower, faster, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table whose columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
