"""Whether TFX's Evaluator blessed a strategy's model, and what that means, in words."""

from __future__ import annotations

from evenhand.named import counted
from evenhand.report.result import Result


def blessing(result: Result, strategy: str) -> str | None:
    """What the Evaluator found of a strategy; it judges the model of the first seed against the baseline's.

    Args:
      result: of the run.
      strategy: name of a strategy.

    Returns:
      A clause; None where nothing was compared: without validation images, and of the baseline itself.
    """
    is_blessed = result.strategies[strategy].blessed
    if is_blessed is None or strategy == "baseline":
        return None
    return f"{_compared(result)} {'not worse' if is_blessed else 'worse'} than the baseline's"


def not_blessed(result: Result) -> str | None:
    """What it means that a strategy is not blessed, in one sentence; None where every one is."""
    if not any(strategy.blessed is False for strategy in result.strategies.values()):
        return None
    return f"Not blessed: {_compared(result)} worse than the baseline's."


def _compared(result: Result) -> str:
    count = sum(counts.validation for counts in result.data.classes)
    return f"in balanced accuracy on {counted(count, 'validation image')} the model of the first seed is"
