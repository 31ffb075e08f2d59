"""Shot groups at their borders."""

from __future__ import annotations

from evenhand.evaluation.shot_groups import group_recalls, shot_group


def test_borders_are_those_of_the_papers() -> None:
    assert [shot_group(count) for count in (101, 100, 20, 19, 0)] == ["many", "medium", "medium", "few", "few"]


def test_means_leave_out_classes_without_test_images() -> None:
    assert group_recalls([500, 200, 50, 3, 2], [0.9, 0.7, 0.5, None, 0.1]) == {"many": 0.8, "medium": 0.5, "few": 0.1}
    assert group_recalls([500], [0.9]) == {"many": 0.9}
