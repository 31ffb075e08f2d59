"""Pictures in the page: shrunk, marked, and no more than it can carry."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from evenhand.data.decode import decode, encode_png
from evenhand.data.marks import is_marked
from evenhand.report.collect import Evidence, build_result
from evenhand.report.copy_pairs import PairPictures
from evenhand.report.pictures import SIDE, Picture, gallery, uri
from evenhand.report.render import render_html
from evenhand.report.samples import Sample
from tests.report.test_audit import part


def png(size: int, *, channels: int = 3, seed: int = 0, synthetic: bool = False) -> bytes:
    """Noise, which no encoder makes smaller."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, channels), np.uint8)
    return encode_png(pixels, synthetic=synthetic)


def decoded(address: str) -> bytes:
    head, _, text = address.partition(",")
    assert head == "data:image/png;base64"
    return base64.b64decode(text)


@pytest.mark.parametrize(("channels", "synthetic"), [(1, False), (3, True)])
def test_large_pictures_are_shrunk_and_keep_their_mark(channels: int, synthetic: bool) -> None:
    shown = decoded(uri(png(200, channels=channels, synthetic=synthetic)))
    assert decode(shown).shape == (SIDE, SIDE, channels)
    assert is_marked(shown) == synthetic


def test_small_pictures_stay_as_they_are() -> None:
    assert decoded(uri(png(SIDE))) == png(SIDE)
    assert decoded(uri(b"whatever")) == b"whatever"


def rows(groups: int, each: int, size: int = 8) -> list[Picture]:
    return [
        Picture(f"class {group}", kind, f"{kind} {place}", png(size, seed=place))
        for group in range(groups)
        for kind in ("real", "synthetic")
        for place in range(each)
    ]


def test_all_are_shown_where_they_fit() -> None:
    shown = gallery(rows(2, 3), ("real", "synthetic", "nearest"))
    assert list(shown) == ["class 0", "class 1"]
    assert [image["words"] for image in shown["class 1"]["synthetic"]] == [f"synthetic {place}" for place in range(3)]
    assert shown["class 0"]["nearest"] == []
    assert gallery([], ("real",)) == {}


def test_every_group_has_as_many_as_all_can_have() -> None:
    pictures = rows(5, 4)
    one = len(uri(pictures[0].png))
    shown = gallery(pictures, ("real", "synthetic"), most=25 * one)
    assert {len(row[kind]) for row in shown.values() for kind in row} == {2}
    assert len(shown) == 5


def test_where_not_even_one_of_each_fits_the_first_groups_have_theirs() -> None:
    pictures = rows(5, 4)
    shown = gallery(pictures, ("real", "synthetic"), most=7 * len(uri(pictures[0].png)))
    assert list(shown) == ["class 0", "class 1", "class 2"]
    assert all(len(row["real"]) == len(row["synthetic"]) == 1 for row in shown.values())


def test_a_page_of_two_hundred_classes_and_large_pictures_is_below_ten_megabytes(
    make_evidence: Callable[..., Evidence],
) -> None:
    names = tuple(f"class {k}" for k in range(200))
    evidence = make_evidence(class_names=names, num_test=10)
    few = {name: evidence.strategies[name] for name in ("baseline", "pretrain_finetune", "matched_arm")}
    result = build_result(replace(evidence, strategies=few))
    shared = png(128)
    samples = [
        Sample(name, source, f"{name}/{place}", shared)
        for name in names
        for source in ("real", "synthetic", "nearest")
        for place in range(8)
    ]
    copies = part(copies=20)
    pairs = [PairPictures(pair.synthetic_id, pair.real_id, shared, shared) for pair in copies.pairs]
    page = render_html(result.model_copy(update={"audit": copies}), samples, pairs)
    assert len(page.encode()) < 10_000_000
    assert all(f'alt="{source} image, class {name}"' in page for name in names for source in ("real", "nearest real"))
