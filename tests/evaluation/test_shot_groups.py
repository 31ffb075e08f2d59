"""Shot groups at their bounds."""

from __future__ import annotations

from evenhand.evaluation.shot_groups import shot_group


def test_bounds() -> None:
    assert [shot_group(count) for count in (101, 100, 20, 19, 0)] == ["many", "medium", "medium", "few", "few"]
