"""Which classes have no validation image, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from evenhand.report.collect import Evidence, build_result
from evenhand.report.render import render_html, render_markdown
from evenhand.report.result import Result
from evenhand.report.validation_words import classes_have_none, on_validation, validation_sentence


def validated(result: Result, counts: Sequence[int]) -> Result:
    """The result with validation images of these numbers."""
    classes = tuple(
        part.model_copy(update={"validation": count}) for part, count in zip(result.data.classes, counts, strict=True)
    )
    return result.model_copy(update={"data": result.data.model_copy(update={"classes": classes})})


@pytest.fixture(scope="module")
def result(make_evidence: Callable[..., Evidence]) -> Result:
    return build_result(make_evidence(class_names=tuple("0123456789")))


@pytest.mark.parametrize(
    ("counts", "words", "sentence"),
    [
        (
            [10, 7, 4, 3, 2, 1, 0, 0, 0, 0],
            "on 27 validation images; classes 6, 7, 8 and 9 have none",
            "Strategies were chosen on 27 validation images; classes 6, 7, 8 and 9 have none.",
        ),
        (
            [0] * 9 + [1],
            "on 1 validation image; classes 0, 1, 2, 3, 4, 5, 6, 7 and 1 more have none",
            "Strategies were chosen on 1 validation image; classes 0, 1, 2, 3, 4, 5, 6, 7 and 1 more have none.",
        ),
        ([2] * 10, "on 20 validation images", None),
        ([0] * 10, None, None),
    ],
)
def test_words_by_hand(result: Result, counts: Sequence[int], words: str | None, sentence: str | None) -> None:
    changed = validated(result, counts)
    assert (on_validation(changed), validation_sentence(changed)) == (words, sentence)


def test_at_most_eight_classes_are_named() -> None:
    assert classes_have_none(["a"]) == "class a has none"
    assert classes_have_none(["a", "b"]) == "classes a and b have none"
    assert classes_have_none(list("abcdefgh")) == "classes a, b, c, d, e, f, g and h have none"
    assert classes_have_none(list("abcdefghij")) == "classes a, b, c, d, e, f, g, h and 2 more have none"


def test_the_reports_say_it_near_what_was_chosen_and_how_fast_it_learned(
    result: Result, make_evidence: Callable[..., Evidence]
) -> None:
    tail = validated(result, [10, 7, 4, 3, 2, 1, 0, 0, 0, 0])
    sentence = "Strategies were chosen on 27 validation images; classes 6, 7, 8 and 9 have none."
    assert f"|\n\n{sentence}\n" in render_markdown(tail)
    assert "on 27 validation images; classes 6, 7, 8 and 9 have none" in render_html(tail)
    assert "have none" not in render_markdown(result)
    assert "on 40 validation images." in render_html(result)
    without = render_html(build_result(make_evidence(num_validation=0)))
    assert "that of its validation score" not in without
