"""What stands beneath the verdict: confusions as shares, their difference, and lists where matrices are too large."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evenhand.report import evidence
from evenhand.report.collect import Evidence, build_result
from evenhand.report.evidence import MOST_MATRIX_CLASSES, confusions, reliability_curve, shown_strategies
from evenhand.report.measures import ReliabilityPoint
from evenhand.report.render import render_html
from evenhand.report.view import arrange


def test_matrices_are_shares_of_each_class_and_their_difference(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence(seeds=(0, 1)))
    view = arrange(result)
    found = confusions(result, view)
    assert found is not None and not found.largest
    without, with_, change = (np.array(matrix.rows, float) for matrix in found.matrices)
    np.testing.assert_allclose(without.sum(axis=1), 1.0)
    np.testing.assert_allclose(change, with_ - without, atol=1e-12)
    recalls = {row.name: row.recalls["pretrain_finetune"].recall for row in view.classes}
    np.testing.assert_allclose(np.diag(with_), [recalls[name] for name in found.class_names])
    assert found.matrices[2].is_difference and not found.matrices[0].is_difference


def test_many_classes_are_told_as_their_largest_confusions(make_evidence: Callable[..., Evidence]) -> None:
    names = tuple(f"class {k}" for k in range(MOST_MATRIX_CLASSES + 5))
    result = build_result(make_evidence(class_names=names))
    found = confusions(result, arrange(result))
    assert found is not None and not found.matrices
    worst = [max(mistake.shares.values()) for mistake in found.largest]
    assert worst == sorted(worst, reverse=True) and worst[0] > 0
    assert all(mistake.true != mistake.predicted for mistake in found.largest)
    supports = {counts.name: counts.test for counts in result.data.classes}
    first = found.largest[0]
    true, other = names.index(first.true), names.index(first.predicted)
    for name, share in first.shares.items():
        images = {(t, o): n for t, o, n in result.strategies[name].confusion}.get((true, other), 0.0)
        assert share == pytest.approx(images / supports[first.true])


def test_mistakes_of_classes_too_small_to_rank_are_not_listed(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence(class_names=tuple(f"class {k}" for k in range(MOST_MATRIX_CLASSES + 1))))
    # Class 0 has 9 test images, all mistaken; class 1 has 10, of which 2 are.
    classes = [counts.model_copy(update={"test": 9 if k == 0 else 10}) for k, counts in enumerate(result.data.classes)]
    confusion = ((0, 1, 9.0), (1, 0, 2.0), (1, 1, 8.0))
    changed = result.model_copy(
        update={
            "data": result.data.model_copy(update={"classes": tuple(classes)}),
            "strategies": {
                name: strategy.model_copy(update={"confusion": confusion})
                for name, strategy in result.strategies.items()
            },
        }
    )
    found = confusions(changed, arrange(changed))
    assert found is not None
    assert [(m.true, m.predicted, m.support, set(m.shares.values())) for m in found.largest] == [
        ("class 1", "class 0", 10, {0.2})
    ]


def test_many_classes_that_are_all_too_small_to_rank_are_told(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence(class_names=tuple(f"class {k}" for k in range(MOST_MATRIX_CLASSES + 1))))
    classes = tuple(counts.model_copy(update={"test": 9}) for counts in result.data.classes)
    small = result.model_copy(update={"data": result.data.model_copy(update={"classes": classes})})
    page = render_html(small, [], [])
    assert "No class of at least 10 test images has any mistake; smaller ones are not ranked." in page


def test_a_change_without_verdict_says_why(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence(num_test=9))
    main = arrange(result).judgement.main
    assert evidence.measure_changes(main)["worst class"].reason == "no class has 10 test images, too few to rank"
    assert "no class has 10 test images, too few to rank" in render_html(result)


def test_details_are_of_the_judged_strategy_and_its_references(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence())
    assert list(shown_strategies(result, arrange(result))) == [
        "matched_arm",
        "balanced_softmax",
        "baseline",
        "pretrain_finetune",
    ]


def test_measures_come_with_their_intervals(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence())
    for title, measure in evidence.split_measures(result.strategies["baseline"].test).items():
        assert measure.low is not None and measure.value is not None and measure.high is not None, title
        assert measure.low <= measure.value <= measure.high, title


def test_each_class_has_its_calibration_and_uncertainty_too(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence())
    view, name = arrange(result), "pretrain_finetune"
    part = result.strategies[name]
    found = {row.name: measures for row, measures in evidence.class_measures(part, view, name)}
    assert list(found) == [row.name for row in view.classes]
    for entry in part.calibration.per_class:
        assert found[entry.class_]["calibration error"].value == entry.error
    for entry in part.uncertainty.per_class:
        values = [found[entry.class_][title].value for title in evidence.UNCERTAINTY.values()]
        assert values == [
            entry.least_confidence,
            entry.margin_of_confidence,
            entry.ratio_of_confidence,
            entry.entropy,
        ]


def test_a_reliability_curve_by_hand() -> None:
    points = [
        ReliabilityPoint(confidence=0.25, accuracy=0.5, count=2),
        ReliabilityPoint(confidence=1.0, accuracy=1.0, count=3),
    ]
    assert reliability_curve(points, 100.0).line == "M25.0 50.0L100.0 0.0"
    assert reliability_curve(points[:1], 100.0).dots == "M25.0 50.0h0"
    assert reliability_curve([], 100.0).line == ""
