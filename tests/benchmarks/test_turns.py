"""The race of programs in `benchmarks/turns.py`: questions, answers, failures, turns and ratios."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.turns import Worker, in_turns, markdown, ratio

ROOT = Path(__file__).parents[2]
SIDE = """
import os
from benchmarks.turns import serve

def double(number):
    print("this is no answer")
    return 2 * number

def fail():
    raise ValueError("out of paper\\nand ink")

serve({"double": double, "fail": fail, "leave": lambda: os._exit(3)})
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    program = tmp_path / "side.py"
    program.write_text(SIDE)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return [sys.executable, str(program)]


def test_answers_come_back_whatever_is_printed(command: list[str]) -> None:
    with Worker(command) as worker:
        assert [worker.ask("double", number=number) for number in (1, 2.5)] == [2, 5.0]


def test_a_failure_is_told_and_the_side_goes_on(command: list[str]) -> None:
    with Worker(command) as worker:
        with pytest.raises(RuntimeError, match="^ValueError: out of paper$"):
            worker.ask("fail")
        assert worker.ask("double", number=3) == 6


def test_a_side_that_ends_is_named(command: list[str]) -> None:
    with Worker(command) as worker, pytest.raises(RuntimeError, match=r"side\.py ended with code 3"):
        worker.ask("leave")


def test_turns_alternate() -> None:
    order: list[str] = []

    def clock(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    times = in_turns({"a": lambda: clock("a", 1.0), "b": lambda: clock("b", 2.0)}, turns=3)
    assert order == ["a", "b"] * 3
    assert times == {"a": [1.0] * 3, "b": [2.0] * 3}


def test_the_ratio_is_taken_within_turns() -> None:
    # The machine was ten times as slow in the second turn, for both.
    assert ratio([2.0, 30.0, 4.0], [1.0, 10.0, 1.0]) == "3.00 (2.00 to 4.00)"


def test_a_table_of_numbers() -> None:
    assert markdown(["", "ms"], [["cnn", 1.5]]).splitlines() == ["|  | ms |", "| --- | ---: |", "| cnn | 1.5 |"]
