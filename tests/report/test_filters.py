"""What filters did, in `result.json` and in the report: counts, words and pictures, names escaped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evenhand.data.decode import encode_png
from evenhand.data.image_table import ImageTable
from evenhand.data.marks import is_marked
from evenhand.evaluation.filtering import Filtered, Step
from evenhand.report.collect import Evidence, build_result
from evenhand.report.data_card import data_card
from evenhand.report.filter_pictures import PICTURES_PER_CLASS, FilterPicture, pick, read_pictures, write_pictures
from evenhand.report.filters import sentences
from evenhand.report.filters_part import FiltersPart, filters_part
from evenhand.report.render import render_html, render_markdown
from evenhand.report.result import Result

NAMES = ("<b>cat</b>", "dog", "eel")
LABELS = np.array([0, 0, 0, 1, 1, 2])


@pytest.fixture
def found() -> Filtered:
    """Two filters; of cats two passed and one was asked for, of eels nothing is left."""
    first = Step("distance", {"spaces": ["pixels"]}, np.arange(6), np.arange(6.0), np.array([1, 1, 1, 1, 1, 0], bool))
    second = Step("agreement", {}, np.arange(5), np.array([0.9, 0.8, 0.1, 0.7, 0.2]), np.array([1, 1, 0, 1, 0], bool))
    return Filtered(LABELS, 3, (first, second), np.array([1, 0, 0, 1, 0, 0], bool))


@pytest.fixture
def part(found: Filtered) -> FiltersPart:
    shown = [FilterPicture(NAMES[0], "s/0", None, 0.9, b""), FilterPicture(NAMES[2], "s/5", "distance", 5.0, b"")]
    return filters_part(found, [1, 2, 1], NAMES, shown)


def test_counts_and_quantiles(part: FiltersPart) -> None:
    assert (part.drawn, part.used) == (6, 2)
    distance, agreement = part.filters
    assert (distance.given, distance.kept, agreement.given, agreement.kept) == (6, 5, 5, 3)
    assert distance.kept_scores == (0.0, 1.0, 2.0, 3.0, 4.0) and distance.dropped_scores == (5.0,) * 5
    assert agreement.kept_scores == pytest.approx((0.7, 0.75, 0.8, 0.85, 0.9))
    assert [(row.given, row.kept) for row in agreement.per_class] == [(3, 2), (2, 1), (0, 0)]
    assert [(row.asked, row.drawn, row.passed, row.used) for row in part.per_class] == [
        (1, 3, 2, 1),
        (2, 2, 1, 1),
        (1, 1, 0, 0),
    ]
    assert [(image.class_, image.image_id, image.dropped_by, image.score) for image in part.shown] == [
        (NAMES[0], "s/0", None, 0.9),
        (NAMES[2], "s/5", "distance", 5.0),
    ]


def test_the_words_name_what_went_and_classes_that_lost_all(part: FiltersPart) -> None:
    said = " ".join(sentences(part))
    assert "2 of 6 synthetic images are used" in said
    assert "distance keeps the images that are no copies of training images: 5 of 6." in said
    assert "1 more passed than were asked for" in said
    assert "Nothing is left of eel." in said


def test_pictures_are_the_first_used_and_dropped_of_each_class(found: Filtered, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1)).astype(np.uint8)
    table = ImageTable(images, LABELS.astype(np.int32), np.array([f"s/{row}" for row in range(6)]), NAMES)
    pictures = pick(found, table)
    seen = [(picture.class_name, picture.image_id, picture.dropped_by, picture.score) for picture in pictures]
    assert seen == [
        (NAMES[0], "s/0", None, 0.9),
        (NAMES[0], "s/2", "agreement", 0.1),
        (NAMES[1], "s/3", None, 0.7),
        (NAMES[1], "s/4", "agreement", 0.2),
        (NAMES[2], "s/5", "distance", 5.0),
    ]
    assert all(is_marked(picture.png) for picture in pictures)
    write_pictures(tmp_path / "filtered.parquet", pictures)
    assert read_pictures(tmp_path / "filtered.parquet") == pictures
    assert read_pictures(tmp_path / "none.parquet") == []
    step = Step("distance", {}, np.arange(50), np.zeros(50), np.arange(50) < 25)
    many = Filtered(np.zeros(50, int), 1, (step,), step.kept)
    wide = ImageTable(np.zeros((50, 8, 8, 1), np.uint8), np.zeros(50, np.int32), np.arange(50).astype(str), ("a",))
    assert len(pick(many, wide)) == 2 * PICTURES_PER_CLASS


def test_the_report_shows_them_with_names_escaped(make_evidence: Callable[..., Evidence], part: FiltersPart) -> None:
    result = build_result(dataclasses.replace(make_evidence(), filters=part))
    assert Result.model_validate_json(result.to_json()) == result
    png = encode_png(np.zeros((8, 8, 1), np.uint8), synthetic=True)
    pictures = [
        FilterPicture(NAMES[0], "synthetic/<i>1", None, 0.9, png),
        FilterPicture(NAMES[0], "synthetic/<i>2", "agreement", 0.123456, png),
    ]
    page = render_html(result, filtered=pictures)
    assert "Synthetic images that were left out" in page
    assert "synthetic/&lt;i&gt;2: dropped by agreement, score 0.123" in page
    assert "<b>cat</b>" not in page and "<i>1" not in page
    text = render_markdown(result)
    assert (
        "| class | drawn | after distance | after agreement | asked for | used |\n|---|---:|---:|---:|---:|---:|\n"
        in text
    )
    assert "| dog | 2 | 2 | 1 | 2 | 1 |" in text
    assert "6 were drawn; which of them are used, filters decided: distance, agreement." in data_card(result)


def test_without_filters_nothing_is_said_of_any(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence())
    assert result.filters is None
    assert "left out</h2>" not in render_html(result) and "drawn synthetic images" not in render_markdown(result)
