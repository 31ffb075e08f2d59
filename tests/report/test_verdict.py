"""The sentence says what the numbers carry, and no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evenhand.report.collect import Evidence, build_result
from evenhand.report.model_card import model_card
from evenhand.report.render import render_html, render_markdown
from evenhand.report.verdict import (
    CLASS_FALSE_ALARMS,
    FALSE_ALARMS,
    class_scope,
    headline,
    judge,
    label_control,
    percent,
    points,
    tone,
)


@pytest.mark.parametrize(
    ("gain", "words", "colour"),
    [
        (0.28, "Synthetic images helped", "helped"),
        (0.07, "Synthetic images helped, but a remedy without them may do as well", "mixed"),
        (0.01, "No evidence that synthetic images helped", "none"),
        (-0.3, "Synthetic images hurt", "hurt"),
    ],
)
def test_the_headline_follows_the_matched_arm(
    make_evidence: Callable[..., Evidence], gain: float, words: str, colour: str
) -> None:
    result = build_result(make_evidence(gain=gain))
    assert (headline(result), tone(result)) == (words, colour)
    assert result.verdict.startswith(words + ": pretrain_finetune reached a balanced accuracy of ")


def test_one_sentence_with_every_reference_its_interval_and_the_seeds(make_evidence: Callable[..., Evidence]) -> None:
    result = build_result(make_evidence())
    for comparison in judge(result).others:
        assert f"({points(comparison.low)} to {points(comparison.high)}) against " in result.verdict
    for name in ("matched_arm", "balanced_softmax", "baseline", "95% interval"):
        assert name in result.verdict
    assert "; with one seed this speaks of this model, not of the method: " in result.verdict
    for num_images, rate in FALSE_ALARMS.items():
        assert f"{percent(rate, 0)} " in result.verdict and f"{num_images:,}" in result.verdict
    assert "\n" not in result.verdict


@pytest.mark.parametrize(("seeds", "words"), [(3, "with 3 seeds this speaks of these models"), (5, "over 5 seeds")])
def test_the_number_of_seeds_bounds_what_is_said(
    make_evidence: Callable[..., Evidence], seeds: int, words: str
) -> None:
    assert words in build_result(make_evidence(seeds=tuple(range(seeds)))).verdict


def test_without_synthetic_images_nothing_is_said_about_them(make_evidence: Callable[..., Evidence]) -> None:
    evidence = make_evidence()
    real = {name: s for name, s in evidence.strategies.items() if name in ("baseline", "oversample")}
    result = build_result(replace(evidence, strategies=real, selected="oversample", generator=None))
    assert headline(result) == "No synthetic images were used"
    assert "oversample was selected" in result.verdict


def test_of_several_synthetic_strategies_validation_picks_the_one_judged(
    make_evidence: Callable[..., Evidence],
) -> None:
    evidence = make_evidence()
    weak = replace(evidence.strategies["oversample"], uses_synthetic=True, matched="baseline")
    result = build_result(replace(evidence, strategies={**evidence.strategies, "weak": weak}))
    assert judge(result).strategy == "pretrain_finetune"


def test_without_validation_images_no_strategy_is_picked_on_test(make_evidence: Callable[..., Evidence]) -> None:
    evidence = make_evidence(num_validation=0)
    weak = replace(evidence.strategies["oversample"], uses_synthetic=True, matched="baseline")
    strategies = {"baseline": evidence.strategies["baseline"], "weak": weak, **evidence.strategies}
    for selected, judged in (("pretrain_finetune", "pretrain_finetune"), ("balanced_softmax", "weak")):
        result = build_result(replace(evidence, strategies=strategies, selected=selected))
        assert judge(result).strategy == judged


def test_a_remedy_chosen_on_test_images_is_said_to_be(make_evidence: Callable[..., Evidence]) -> None:
    words = "(chosen on the test images, for want of validation images)"
    result = build_result(make_evidence(num_validation=0))
    for text in (result.verdict, render_markdown(result), result.to_json()):
        assert words in text
    assert "chosen on test)" in model_card(result) and "chosen on test" in render_html(result)
    assert words not in build_result(make_evidence()).verdict


def test_controls_alone_are_not_taken_for_no_synthetic_images(make_evidence: Callable[..., Evidence]) -> None:
    evidence = make_evidence()
    control = replace(evidence.strategies["pretrain_finetune"], added=True, matched="baseline")
    strategies = {"baseline": evidence.strategies["baseline"], "synthetic_only": control}
    result = build_result(replace(evidence, strategies=strategies, selected="baseline"))
    assert headline(result) == "Only controls used synthetic images"
    assert result.verdict.startswith("Only controls used synthetic images, so nothing is said about them; baseline was")


def test_five_seeds_speak_of_one_generator(make_evidence: Callable[..., Evidence]) -> None:
    assert "with this one generator" in build_result(make_evidence(seeds=tuple(range(5)))).verdict


def test_one_seed_says_how_often_chance_helps_single_classes(make_evidence: Callable[..., Evidence]) -> None:
    words = class_scope(build_result(make_evidence()))
    for num_images, rate in CLASS_FALSE_ALARMS.items():
        assert f"{percent(rate, 0)} " in words and f"{num_images:,}" in words
    assert class_scope(build_result(make_evidence(seeds=(0, 1)))) is None


@pytest.mark.parametrize(("rates", "columns"), [(FALSE_ALARMS, (3, 4)), (CLASS_FALSE_ALARMS, (6,))])
def test_the_rates_are_those_of_the_docs(rates: dict[int, float], columns: tuple[int, ...]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text("utf-8")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| 1 |")]
    # The demo's tail stands first.
    for row, (num_images, rate) in zip(cells[:2], rates.items(), strict=True):
        told = sum(float(row[column].rstrip("%")) for column in columns)
        assert row[1] == f"{num_images:,}" and told == pytest.approx(100 * rate, abs=0.5)


def test_the_control_with_shuffled_labels_is_told(make_evidence: Callable[..., Evidence]) -> None:
    evidence = make_evidence()
    assert label_control(build_result(evidence)) is None
    judged = evidence.strategies["pretrain_finetune"]
    control = replace(evidence.strategies["oversample"], uses_synthetic=True, added=True)
    strategies = {
        **evidence.strategies,
        "pretrain_finetune": replace(judged, shuffled="shuffled_synthetic"),
        "shuffled_synthetic": control,
    }
    result = build_result(replace(evidence, strategies=strategies))
    words = label_control(result)
    reached = [result.strategies[name].test.balanced_accuracy for name in ("pretrain_finetune", "shuffled_synthetic")]
    (change,) = result.label_controls
    assert not any(c.versus == "shuffled" for c in result.comparison)
    assert (change.strategy, change.versus_name) == ("pretrain_finetune", "shuffled_synthetic")
    told = f"{points(reached[0] - reached[1])} points ({points(change.low)} to {points(change.high)}), so that "
    assert words is not None and "(shuffled_synthetic) it changes by" in words and told in words
    meanings = {"no evidence": "no evidence that their classes matter", "hurt": "better without", "helped": "taught it"}
    for verdict, meaning in meanings.items():
        changed = (change.model_copy(update={"verdict": verdict}),)
        found = label_control(result.model_copy(update={"label_controls": changed}))
        assert found is not None and meaning in found
    assert words in render_html(result)


def test_numbers_in_words() -> None:
    assert (points(0.0312), points(-0.005), points(-0.0001), points(0.05, 0)) == (
        "+3.1",
        "\N{MINUS SIGN}0.5",
        "0.0",
        "+5",
    )
    assert (percent(0.9137), percent(1, 0)) == ("91.4%", "100%")
