"""The cards and citations: what they hold is the result's, names stay text, and BibTeX is whole."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evenhand import registry
from evenhand.report.citations import CLASSIFIERS, GENERATORS, METHODS, SCORES, bibliography, cite, cited
from evenhand.report.collect import Evidence, build_result
from evenhand.report.data_card import data_card
from evenhand.report.markdown import cell
from evenhand.report.model_card import model_card
from evenhand.report.render import render_html
from evenhand.report.result import Result

NASTY = "<script>|`a`*b*\n# c"
CONFIG = {
    "name": "demo",
    "data": {
        "image_size": 32,
        "channels": 1,
        "profile": {"kind": "geometric", "ratio": 0.65, "largest": 100},
        "splits": {"validation": 0.1, "test": 0.25},
        "group": "^([^_]+)_",
    },
    "generator": {"name": "cgan", "steps": 4000},
    "classifier": {"name": "efficientnetv2-b0", "weights": None},
    "training": {"steps": 600, "batch_size": 64},
}


@pytest.fixture(scope="module")
def result(make_evidence: Callable[..., Evidence]) -> Result:
    names = (NASTY, *(f"digit {k}" for k in range(9)))
    made = build_result(make_evidence(class_names=names)).completed("demo", CONFIG, {"evenhand": "0.1.0"}, {"T": 3.0})
    generator = made.generator.model_copy(update={"scores": {"extractor": "cnn", "fid": 12.345, "coverage": 0.5}})
    return made.model_copy(update={"generator": generator})


def test_the_data_card_holds_counts_splits_imbalance_and_duplicates(result: Result) -> None:
    card = data_card(result)
    for counts in result.data.classes:
        numbers = f"{counts.train} | {counts.validation} | {counts.test} | {counts.synthetic} |"
        assert f"| {cell(counts.name)} | {numbers}" in card
    assert "286 real training, 40 validation and 450 test images" in card
    assert "with 100 training images, smallest digit 8 with 3: ratio 33.3" in card
    for words in (
        "0123456789abcdef",
        "a geometric profile (ratio 0.65, largest 100)",
        "Shares asked for, of a split that the source does not have itself: validation 0.1, test 0.25.",
        "another image: 3;",
        "left out: 1.",
        "32 x 32 pixels, in grey",
    ):
        assert words in card
    assert "10000 images drawn by the generator cgan" in card
    assert "filled in by the authors" in card


def test_the_model_card_holds_metrics_with_intervals_and_what_the_verdict_does_not_say(result: Result) -> None:
    card = model_card(result)
    for name, strategy in result.strategies.items():
        test = strategy.test
        low, high = 100 * test.balanced_accuracy_low, 100 * test.balanced_accuracy_high
        assert re.search(
            rf"\| {re.escape(cell(name))}[^|]*\| {100 * test.balanced_accuracy:.1f} \({low:.1f} to {high:.1f}\)", card
        )
    for entry in result.strategies[result.selected].test.per_class:
        recall = f"{100 * entry.recall:.1f} ({100 * entry.recall_low:.1f} to {100 * entry.recall_high:.1f})"
        assert re.search(rf"\| {re.escape(cell(entry.class_))} \| \d+ \| {entry.support} \| {re.escape(recall)}", card)
    assert cell(result.verdict) in card
    for words in (
        "this model, not of the method",
        "600 gradient steps",
        "features of cnn, which",
        ": fid 12.35, coverage 0.5",
    ):
        assert words in card


def test_a_run_without_synthetic_images_or_config_has_cards_too(make_evidence: Callable[..., Evidence]) -> None:
    evidence = make_evidence(num_test=5, num_validation=0)
    kept = {name: evidence.strategies[name] for name in ("baseline", "oversample")}
    plain = Evidence({**evidence.data}, [0] * 10, kept, "baseline")
    result = build_result(plain)
    assert "Synthetic images" not in data_card(result)
    card = model_card(result)
    assert "No synthetic images were used, so nothing is said about them" in card
    assert "Fewer than 10 test images" in card
    assert cite(result).startswith("@software{evenhand,")


def test_names_from_the_data_stay_text(result: Result) -> None:
    for card in (data_card(result), model_card(result)):
        assert "<script>" not in card
        assert not re.search(r"^# c", card, re.MULTILINE)
        for line in card.splitlines():
            if "script" in line and line.startswith("|"):
                assert len(re.findall(r"(?<!\\)\|", line)) == 6


def test_what_is_cited_is_what_was_used(result: Result) -> None:
    keys = cited(result)
    assert keys[:2] == ["mankikar_rebalancing", "mirza2014conditional"]
    for key in ("tan2021efficientnetv2", "ren2020balanced", "rios2025handshapes", "heusel2017fid", "naeem2020reliable"):
        assert key in keys
    for key in ("park2019spade", "delafuente2024enhancing", "binkowski2018kid", "he2016resnet"):
        assert key not in keys
    assert len(set(keys)) == len(keys)
    text = cite(result)
    assert "version       = {0.1.0}" in text
    assert text.count("\n@") == len(keys)


def test_a_setting_of_a_phase_has_its_paper(result: Result) -> None:
    def keys(adjustment: float | None) -> list[str]:
        phase = {"on": "real", "loss": "cross_entropy", "post_hoc_adjustment": adjustment}
        strategy = result.strategies["baseline"].model_copy(update={"phases": (phase,)})
        return cited(result.model_copy(update={"strategies": {"baseline": strategy}}))

    assert "menon2021logit" in keys(1.0)
    assert "menon2021logit" not in keys(None)


@pytest.mark.parametrize(
    ("asked", "training", "used"),
    [
        ({"mixing": {"kind": "cutmix", "alpha": 1.0}}, {}, {"yun2019cutmix"}),
        ({"mixing": {"kind": "mixup", "alpha": 0.2}}, {}, {"zhang2018mixup"}),
        ({"augmentation": {"rand_augment": {"operations": 2}}}, {}, {"cubuk2020randaugment"}),
        ({}, {"augmentation": {"rand_augment": {"operations": 2}}}, {"cubuk2020randaugment"}),
        ({"augmentation": {"rotation": 5}}, {"augmentation": {"rand_augment": {"operations": 2}}}, set()),
        ({"augmentation": {"rotation": 5, "rand_augment": None}}, {"augmentation": None}, set()),
        ({"loss": {"name": "class_weight", "options": {"by": "effective_number"}}}, {}, {"cui2019classbalanced"}),
        ({"loss": {"name": "class_weight", "options": {"by": "inverse"}}}, {}, set()),
        ({"loss": "class_weight"}, {}, set()),
        ({"loss": {"name": "focal", "options": {"gamma": 1}}}, {}, {"lin2017focal"}),
    ],
)
@pytest.mark.parametrize("is_own", [False, True])
def test_losses_mixings_and_augmentations_are_cited(
    result: Result, asked: dict[str, Any], training: dict[str, Any], used: set[str], is_own: bool
) -> None:
    phase = {"on": "real", "loss": "cross_entropy", "mixing": None, "augmentation": None, **asked}
    strategies = {"baseline": result.strategies["baseline"].model_copy(update={"phases": (phase,)})}
    named = {"name": "baseline", "options": {}, "training": training if is_own else None}
    config = {**result.config, "strategies": [named], "training": {} if is_own else training}
    keys = set(cited(result.model_copy(update={"strategies": strategies, "config": config})))
    papers = {"yun2019cutmix", "zhang2018mixup", "cubuk2020randaugment", "cui2019classbalanced", "lin2017focal"}
    assert keys & papers == used


@pytest.mark.parametrize(("seeds", "used"), [((0,), "newcombe1998improved"), ((0, 1), "gallas2006oneshot")])
def test_the_statistics_that_are_cited_are_those_of_the_run(
    make_evidence: Callable[..., Evidence], seeds: tuple[int, ...], used: str
) -> None:
    evidence = make_evidence(seeds=seeds)
    keys = cited(build_result(evidence))
    assert {"wilson1927probable", "zou2008construction", "mcnemar1947note", used} <= set(keys)
    assert len({"newcombe1998improved", "gallas2006oneshot"} & set(keys)) == 1
    alone = Evidence({**evidence.data}, [0] * 10, {"baseline": evidence.strategies["baseline"]}, "baseline")
    assert "wilson1927probable" in cited(build_result(alone)), "its intervals"
    assert not {"mcnemar1947note", used} & set(cited(build_result(alone))), "nothing was compared"


def test_every_entry_is_whole_and_every_key_is_known() -> None:
    entries = bibliography()
    text = (Path(sys.modules["evenhand.report.citations"].__file__).parent / "references.bib").read_text("utf-8")
    assert len(entries) == text.count("@")
    source = Path(sys.modules["evenhand.report.citations"].__file__).read_text("utf-8")
    assert all(f'"{key}"' in source for key in entries), "an entry that nothing cites"
    for key, entry in entries.items():
        assert entry.count("{") == entry.count("}"), key
        assert "title " in entry and "author " in entry, key
    named = [*GENERATORS.values(), *CLASSIFIERS.values(), *METHODS.values(), tuple(SCORES.values())]
    assert {key for keys in named for key in keys} <= set(entries)
    assert set(GENERATORS) | {"folder"} == set(registry.names("models.generators"))


def test_images_of_the_users_own_are_not_said_to_be_drawn(make_evidence: Callable[..., Evidence]) -> None:
    evidence = make_evidence()
    result = build_result(replace(evidence, generator={"name": "folder", "scores": None}))
    cards = data_card(result) + model_card(result)
    assert "from the folder that the configuration names" in cards and "made elsewhere" in cards
    config = {"generator": {"name": "folder", "steps": 1000, "sampling": "balanced"}}
    assert "- folder; its images were made" in model_card(result.model_copy(update={"config": config}))
    assert "drawn" not in data_card(result) and "trained on the real training images alone" not in cards


def test_no_card_speaks_python(result: Result) -> None:
    phase = {
        "on": "both",
        "loss": {"name": "focal", "options": {"gamma": 2.0}},
        "blend": {"share": 1 / 3, "pool": True, "of": []},
        "augmentation": {},
        "mixing": None,
        "device": {"distribution": "none", "precision": None, "cards": ["a", "b"]},
    }
    strategy = result.strategies[result.selected].model_copy(update={"phases": (phase,)})
    card = model_card(result.model_copy(update={"strategies": {**result.strategies, result.selected: strategy}}))
    told = (
        "- Phase 1: on both, loss (name focal, options (gamma 2)), blend (share 0.3333, pool yes, of none), "
        "augmentation none, device (distribution none, cards (a, b))."
    )
    assert told in card and not re.search(r"[{}]|'\\w+':", card)


def blessed(result: Result, is_blessed: bool | None) -> Result:
    """The same with every strategy blessed or not."""
    strategies = {name: s.model_copy(update={"blessed": is_blessed}) for name, s in result.strategies.items()}
    return result.model_copy(update={"strategies": strategies})


@pytest.mark.parametrize(("is_blessed", "found"), [(True, "is not worse"), (False, "is worse"), (None, None)])
def test_what_a_blessing_asks_is_named(result: Result, is_blessed: bool | None, found: str | None) -> None:
    judged = blessed(result, is_blessed)
    clause = "; in balanced accuracy on 40 validation images the model of the first seed "
    line = f"chosen without the test images{f'{clause}{found} than the baseline' if found else '.'}"
    assert line in model_card(judged)
    baseline = judged.model_copy(update={"selected": "baseline"})
    assert "trained on real images, chosen without the test images." in model_card(baseline)


def test_the_page_says_what_not_blessed_means(result: Result) -> None:
    meaning = (
        "Not blessed: in balanced accuracy on 40 validation images the model of the first seed is worse than the "
        "baseline&#39;s."
    )
    page = render_html(blessed(result, False))
    assert f'<span title="{meaning}">not blessed</span>' in page and page.count(f" {meaning}</p>") == 1
    assert "blessed" not in render_html(blessed(result, True))


def test_a_class_of_few_test_images_is_not_the_weakest(make_evidence: Callable[..., Evidence]) -> None:
    assert "Weakest class" not in model_card(build_result(make_evidence(num_test=5)))
    assert "Weakest class" in model_card(build_result(make_evidence()))


def test_report_prints_a_card(result: Result, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(result.to_json(), encoding="utf-8")

    def command(*arguments: object) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "evenhand.cli", "report", *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, timeout=120)

    for card, text in (("model", model_card(result)), ("data", data_card(result)), ("cite", cite(result))):
        done = command(tmp_path, "--card", card)
        assert (done.returncode, done.stdout, done.stderr) == (0, text, "")
    assert not (tmp_path / "report.html").exists()
    wrong = command(tmp_path, "--card", "other")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert command(tmp_path / "absent", "--card", "data").returncode == 2
