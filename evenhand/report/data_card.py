"""The data card of a run: where the images come from, how many there are, and what was done with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evenhand.named import counted
from evenhand.report.card_layout import ASKED, FOLDER, Section, document, part, table
from evenhand.report.markdown import cell
from evenhand.report.result import Result
from evenhand.report.setting_words import settings_in_words


def data_card(result: Result) -> str:
    """The data card: source, counts, splits, imbalance, duplicates, synthetic images, limits.

    Args:
      result: of the run.
    """
    return document(f"Data card: {cell(result.name)}", _data_sections(result))


def _data_sections(result: Result) -> Iterator[Section]:
    data, config = result.data, part(result.config, "data")
    totals = {split: sum(getattr(c, split) for c in data.classes) for split in ("train", "validation", "test")}
    yield (
        "Source",
        [
            f"- Source: {cell(data.source)}, fingerprint `{cell(data.fingerprint)}` (over names, sizes and contents).",
            f"- {len(data.classes)} classes; {totals['train']} real training, {totals['validation']} validation and "
            f"{counted(totals['test'], 'test image')}.",
            *_preparation(config),
            ASKED + "who made and labelled the images, how, with whose consent, and under which licence.*",
        ],
    )
    rows = [(cell(c.name), c.train, c.validation, c.test, c.synthetic) for c in data.classes]
    yield "Counts", table(("class", "train", "validation", "test", "synthetic"), rows)
    yield "Imbalance", list(_imbalance(result, config))
    yield "Splits", list(_splits(config))
    yield "Duplicates and images left out", list(_left_out(result))
    if result.generator is not None:
        yield (
            "Synthetic images",
            [
                f"- {counted(sum(c.synthetic for c in data.classes), 'image')} {_origin(result.generator.name)}.",
                "- Used for training only: validation and test images are all real.",
                *_filters(result),
            ],
        )
    yield (
        "Limits",
        [
            "- Labels are taken as they are; copies are found pixel by pixel, near copies are not.",
            "- The test images come from the same source as the training images, and say nothing of other sources.",
        ],
    )


def _origin(generator: str) -> str:
    if generator == FOLDER:
        return "from the folder that the configuration names, each used once"
    return (
        f"drawn by the generator {cell(generator)}, each from its class and its seed, so that each can be drawn again"
    )


def _filters(result: Result) -> Iterator[str]:
    if result.filters is not None:
        names = ", ".join(cell(entry.name) for entry in result.filters.filters)
        were = "was" if result.filters.drawn == 1 else "were"
        yield f"- {result.filters.drawn} {were} drawn; which of them are used, filters decided: {names}."


def _preparation(config: Mapping[str, Any]) -> Iterator[str]:
    if "image_size" in config:
        size, channels = config["image_size"], config.get("channels")
        colours = {1: ", in grey", 3: ", in RGB"}.get(channels, "") if isinstance(channels, int) else ""
        yield f"- Every image is resized once to {size} x {size} pixels{colours}."


def _imbalance(result: Result, config: Mapping[str, Any]) -> Iterator[str]:
    counts = [(c.train, c.name) for c in result.data.classes]
    (fewest, rare), (most, common) = min(counts), max(counts)
    ratio = f"{most / fewest:.1f}" if fewest else "without bound"
    yield (
        f"- Largest class {cell(common)} with {most} training images, smallest {cell(rare)} with {fewest}: "
        f"ratio {ratio}."
    )
    profile = config.get("profile")
    if isinstance(profile, Mapping) and "kind" in profile:
        kind = profile["kind"]
        details = settings_in_words({key: value for key, value in profile.items() if key != "kind"})
        told = f" ({cell(details)})" if details else ""
        yield f"- The imbalance was made: training and validation images thinned by a {cell(kind)} profile{told}."
    elif config:
        yield "- The imbalance is that of the source (or its default profile): none was asked for in the configuration."


def _splits(config: Mapping[str, Any]) -> Iterator[str]:
    shares = part(config, "splits")
    yield "- Test images first: the source's own where it has some, else a stratified share; never thinned."
    yield "- Validation images from the rest, as imbalanced as the training images: they choose models, tests do not."
    if shares:
        yield f"- Shares asked for, of a split that the source does not have itself: {cell(settings_in_words(shares))}."
    if config.get("group") is not None:
        yield f"- Images of one group (`{cell(config['group'])}`) stay on one side of every split."


def _left_out(result: Result) -> Iterator[str]:
    data = result.data
    yield f"- Images that are copies of another image: {data.duplicates}; copies stay on one side of every split."
    reasons = "Images that cannot be read or are marked as synthetic, and classes with too few images"
    yield f"- {reasons}, left out: {len(data.skipped)}."
    if data.without_hand is not None:
        yield f"- Images in which no hand was found: {len(data.without_hand)}."
