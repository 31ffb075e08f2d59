"""The audit in the result, in words, on the page, and as the reason for an exit code."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from evenhand.config import RunConfig
from evenhand.data.decode import encode_png
from evenhand.errors import GateFailed
from evenhand.evaluation.copies import CopyAudit, CopyPair, Nearness
from evenhand.evaluation.data_copying import DataCopying
from evenhand.pipeline.run import _check_copies
from evenhand.report import audit as words
from evenhand.report.audit_part import AuditPart, DataCopyingPart, audit_part
from evenhand.report.collect import Evidence, build_result
from evenhand.report.copy_pairs import PairPictures, read_pairs, write_pairs
from evenhand.report.model_card import model_card
from evenhand.report.render import render_html, render_markdown, render_terminal
from evenhand.report.result import Result
from evenhand.report.verdict import headline, tone, verdict

NAMES = ("cat", "<dog>")


def part(leaks: int = 0, copies: int = 3) -> AuditPart:
    """Twenty images, ten of each class; the first `copies` are copies of training image 7."""
    flagged = np.arange(20) < copies
    scores = np.where(flagged, 0.1, 1.0).astype(np.float32)
    nearness = Nearness(np.full(20, 7), 10 * scores, scores, 0.4, flagged)
    labels = np.arange(20) % 2
    pairs = tuple(
        CopyPair(f"synthetic/cgan/{NAMES[row % 2]}/{row}", "folder/<x>.png", row, 7, row % 2, "pixels", 1.0, 0.1)
        for row in range(copies)
    )
    found = CopyAudit(
        spaces={"pixels": nearness},
        flagged=flagged,
        class_counts=np.bincount(labels),
        class_copies=np.bincount(labels[flagged], minlength=2),
        false_alarms=0.01,
        reference="held-out",
        num_references=500,
        pairs=pairs,
    )
    z = DataCopying(-4.5, 0.001, np.asarray([-4.5, np.nan]))
    return audit_part(found, z, [(f"s{n}", f"t{n}") for n in range(leaks)], NAMES, "cnn-1")


@pytest.fixture
def result(make_evidence: Callable[..., Evidence]) -> Result:
    evidence = make_evidence(class_names=NAMES)
    object.__setattr__(evidence, "audit", part())
    return build_result(evidence)


def test_the_part_holds_every_number() -> None:
    seen = part(leaks=150)
    assert (seen.copies, seen.share) == (3, 0.15)
    assert [(row.synthetic, row.copies, row.share) for row in seen.per_class] == [(10, 2, 0.2), (10, 1, 0.1)]
    assert [row.data_copying_z for row in seen.per_class] == [-4.5, None]
    assert seen.num_leaks == 150 and len(seen.leaks) == 100
    assert len(part(copies=20).pairs) == 16


def test_it_survives_the_file(result: Result) -> None:
    assert Result.model_validate_json(result.to_json()).audit == part()


def test_words_say_what_share_is_no_evidence() -> None:
    said = words.sentences(part(leaks=2))
    leaked = "2 synthetic images are exact copies of test images, so that the scores of strategies that learn from them"
    assert said[0] == f"{leaked} mean nothing."
    assert "3 of 20 synthetic images (15.0%)" in said[1] and "1% would be" in said[1]
    assert "nearer to the training images" in said[3] and "-4.5" in said[3]
    one = words.sentences(part(leaks=1, copies=1))
    assert one[0].startswith("1 synthetic image is an exact copy of a test image, so") and "from it mean" in one[0]
    assert "1 of 20 synthetic images (5.0%) is flagged as a copy of training images" in one[1]


@pytest.mark.parametrize(
    ("statistic", "p", "words_for_it"),
    [
        (-2.4, 4e-14, "nearer to"),
        (-1.0, 0.01, "about as near to"),
        (2.4, 1.0, "farther from"),
        (1.0, 0.99, "about as near"),
    ],
)
def test_the_test_of_data_copying_goes_by_its_p(statistic: float, p: float, words_for_it: str) -> None:
    """Over ten classes alike in size C_T varies by a third of what one class's z does."""
    seen = part().model_copy(update={"data_copying": DataCopyingPart(statistic=statistic, p=p)})
    said = words.sentences(seen)[-1]
    assert words_for_it in said
    assert f"one-sided p = {min(p, 1 - p):.2g} " in said if p < 1.0 else "one-sided p below 1e-15" in said


def test_classes_that_the_mean_hides_are_named() -> None:
    rows = [part().per_class[0].model_copy(update={"class_": f"c{n}", "data_copying_z": -4.0 - n}) for n in range(10)]
    hidden = part().model_copy(
        update={"per_class": (*rows, part().per_class[1]), "data_copying": DataCopyingPart(statistic=2.4, p=1.0)}
    )
    said = words.sentences(hidden)
    assert "In these classes the images lie nearer" in said[-2] and "farther from" in said[-1]
    assert "c9 (z = -13.0), c8 (z = -12.0)" in said[-2] and said[-2].endswith("and 2 more.")
    far = part().model_copy(update={"per_class": part().per_class[1:]})
    assert not any("what copying looks like" in sentence for sentence in words.sentences(far))


def test_the_page_shows_pairs_with_escaped_names(result: Result) -> None:
    png = encode_png(np.zeros((4, 4, 1), np.uint8))
    pairs = [PairPictures(pair.synthetic_id, pair.real_id, png, png) for pair in part().pairs]
    page = render_html(result, pairs=pairs)
    assert "Copies of real images" in page and "folder/&lt;x&gt;.png" in page and "<dog>" not in page
    assert page.count("0.10 (pixels)") == 3
    assert "## Copies of real images" in render_markdown(result)


def test_pictures_survive_the_file(tmp_path) -> None:
    pairs = [PairPictures("a", "b", b"1", b"2")]
    write_pairs(tmp_path / "p", pairs)
    assert read_pairs(tmp_path / "p") == pairs and read_pairs(tmp_path / "none") == []
    write_pairs(tmp_path / "p", [])
    assert read_pairs(tmp_path / "p") == []


@pytest.mark.parametrize(
    ("leaks", "most", "sentence"),
    [
        (0, None, None),
        (0, 0.15, None),
        (0, 0.1, r"max_copy_share: 15.0% .* 10.0% that were allowed"),
        (2, None, "s0 repeats t0"),
    ],
)
def test_gates(result: Result, leaks: int, most: float | None, sentence: str | None) -> None:
    config = RunConfig.model_validate({"synthetic": {"max_copy_share": most}})
    seen = result.model_copy(update={"audit": part(leaks=leaks)})
    if sentence is None:
        _check_copies(config, seen)
        return
    with pytest.raises(GateFailed, match=sentence) as error:
        _check_copies(config, seen)
    assert error.value.exit_code == 3


def test_without_synthetic_images_there_is_nothing_to_check(result: Result) -> None:
    config = RunConfig.model_validate({"synthetic": {"max_copy_share": 0.0}})
    _check_copies(config, result.model_copy(update={"audit": None}))


def told(result: Result) -> list[str]:
    """What is read first: the page's heading, the Markdown's first paragraph, the listing of a comparison."""
    stream = io.StringIO()
    render_terminal(result, Console(file=stream, width=1000))
    heading = re.findall(r"<h1>(.*?)</h1>", render_html(result), re.DOTALL)
    return [*heading, render_markdown(result).split("\n\n")[1], headline(result), verdict(result), stream.getvalue()]


def test_a_leak_is_the_verdict(result: Result) -> None:
    assert headline(result) == "Synthetic images helped"
    leaked = result.model_copy(update={"audit": part(leaks=2)})
    leaked = leaked.model_copy(update={"verdict": verdict(leaked)})
    for text in told(leaked):
        assert "2 synthetic images are exact copies of test images, so that" in text and "helped" not in text
    assert tone(leaked) == "leaked"
    page = render_html(leaked)
    assert "Its gain in points" not in page and page.count("these scores mean nothing") == 2
    assert "Gain of" not in render_markdown(leaked)
    card = model_card(leaked)
    assert "cannot be told." in card and "helped:" not in card


def test_more_copies_than_allowed_stand_in_the_verdict(result: Result) -> None:
    allowed = {most: result.model_copy(update={"config": {"synthetic": {"max_copy_share": most}}}) for most in (0.1, 1)}
    gated = allowed[0.1].model_copy(update={"verdict": verdict(allowed[0.1])})
    for text in told(gated):
        assert "helped; 15.0% of the synthetic images are copies of training images, more than the 10.0% that" in text
    assert (tone(gated), tone(allowed[1])) == ("mixed", "helped")
    assert verdict(allowed[1]) == result.verdict


def test_a_run_without_a_judged_strategy_has_no_word_of_copies_in_its_verdict(result: Result) -> None:
    real = {name: s for name, s in result.strategies.items() if not s.uses_synthetic}
    plain = result.model_copy(update={"strategies": real, "selected": "baseline", "audit": part(leaks=2)})
    assert headline(plain) == "No synthetic images were used" and tone(plain) == "none"
