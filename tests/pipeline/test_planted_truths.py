"""Whole runs whose truth is known, with five seeds each: noise never helps, copies are caught, an oracle helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.planted_truths import Plant, PlantedRun, run_planted
from evenhand.report.comparison_part import ComparisonPart
from evenhand.report.verdict import headline

pytestmark = pytest.mark.slow

STRATEGY = "combined"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all runs, so that the arms on real images alone are trained once."""
    return tmp_path_factory.mktemp("planted")


def _run(plant: Plant, folder: Path) -> tuple[PlantedRun, ComparisonPart]:
    run = run_planted(plant, folder, strategies=[STRATEGY], repeats=5)
    [against_matched] = [row for row in run.result.comparison if row.versus == "matched" and row.strategy == STRATEGY]
    assert all(len(strategy.repeats) == 5 for strategy in run.result.strategies.values())
    return run, against_matched


def test_noise_never_helps(folder: Path) -> None:
    run, change = _run("noise", folder)
    assert change.verdict in ("hurt", "no evidence")
    assert "helped" not in headline(run.result).replace("No evidence that synthetic images helped", "")
    # Noise that is called a rare class cannot teach it.
    assert all(group.verdict != "helped" for group in change.shot_groups if group.group == "few")
    assert run.exit_code == 0 and run.result.audit.share < 0.1, "noise is no copy"


def test_a_generator_that_copies_fails_the_run_in_one_sentence(folder: Path) -> None:
    run, change = _run("copies", folder)
    assert run.exit_code == 3
    assert run.said.startswith("evenhand: synthetic.max_copy_share: ") and run.said.count("\n") == 1
    assert "are copies of training images, more than the 10.0% that were allowed" in run.said
    audit = run.result.audit
    assert audit.share >= 0.95 and audit.num_leaks == 0
    assert all(row.share >= 0.9 for row in audit.per_class if row.synthetic >= 20)
    assert audit.data_copying.statistic < -3, "nearer to the training images than held-out images are"
    # The matched arm has seen the same originals, so that there is next to nothing to gain.
    assert change.balanced_accuracy_change < 0.05


def test_an_oracle_helps(folder: Path) -> None:
    run, change = _run("oracle", folder)
    assert change.verdict == "helped" and change.low > 0
    assert headline(run.result).startswith("Synthetic images helped")
    assert "so that it speaks of the method on these data" in run.result.verdict
    assert [group.verdict for group in change.shot_groups if group.group == "few"] == ["helped"]
    helped = {row.class_ for row in change.per_class if row.verdict == "helped"}
    assert helped and not any(row.verdict == "hurt" for row in change.per_class if row.class_ in ("7", "8", "9"))
    assert run.exit_code == 0 and run.result.audit.share < 0.1, "real images that nobody copied are no copies"
