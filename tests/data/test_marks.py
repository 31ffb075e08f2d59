"""Synthetic images say what they are, in files and records, and none of them is ever taken for a real one."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from evenhand.config import Data
from evenhand.data import marks
from evenhand.data.decode import decode, encode_png
from evenhand.data.export import export_images
from evenhand.data.prepare import prepare
from evenhand.data.records import encode_example
from evenhand.errors import UserError

NAMES = ["hat", "bag"]
RNG = np.random.default_rng(0)


def pictures(count: int, *, synthetic: bool) -> list[tuple[np.ndarray, int, str]]:
    prefix = "synthetic/cgan" if synthetic else "folder"
    return [(RNG.integers(0, 256, (8, 8, 1), np.uint8), n % 2, f"{prefix}/{NAMES[n % 2]}/{n}") for n in range(count)]


def test_the_mark_is_png_text_and_xmp_of_the_vocabulary() -> None:
    encoded = encode_png(pictures(1, synthetic=True)[0][0], synthetic=True)
    with Image.open(io.BytesIO(encoded)) as image:
        image.load()
        assert image.info["DigitalSourceType"] == marks.DIGITAL_SOURCE_TYPE
        packet = ElementTree.fromstring(image.info["XML:com.adobe.xmp"].strip("\ufeff"))
    [description] = packet.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    name = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
    assert description.attrib[name] == marks.DIGITAL_SOURCE_TYPE
    assert marks.is_marked(encoded)


def test_the_mark_changes_no_pixel_and_costs_little() -> None:
    pixels = RNG.integers(0, 256, (32, 32, 3), np.uint8)
    plain, marked = encode_png(pixels), encode_png(pixels, synthetic=True)
    assert not marks.is_marked(plain)
    np.testing.assert_array_equal(decode(marked), pixels)
    assert len(marked) - len(plain) < 600


@pytest.mark.parametrize("kind", ["folder", "npz", "tfrecord"])
def test_an_export_marks_synthetic_images_only_and_has_a_line_for_each(tmp_path: Path, kind: str) -> None:
    images = [*pictures(6, synthetic=False), *pictures(5, synthetic=True)]
    export_images(images, NAMES, tmp_path / "out", kind, generator_digest="d" * 64)
    lines = list(marks.read_manifest(tmp_path / "out" / marks.MANIFEST))
    assert [line.id for line in lines] == [image_id for _, _, image_id in images[6:]]
    for line, (pixels, label, _) in zip(lines, images[6:], strict=True):
        assert (line.generator, line.generator_digest, line.label, line.class_name) == (
            "cgan",
            "d" * 64,
            label,
            NAMES[label],
        )
        assert line.seed == int(line.id.rpartition("/")[2]) and line.pixels_sha256 == marks.pixels_digest(pixels)
        if kind == "folder":
            assert marks.is_marked((tmp_path / "out" / line.file).read_bytes())
    if kind == "folder":
        assert sum(marks.is_marked(path.read_bytes()) for path in (tmp_path / "out").rglob("*.png")) == 5


def test_the_manifest_of_an_archive_lies_beside_it(tmp_path: Path) -> None:
    export_images(pictures(2, synthetic=True), NAMES, tmp_path / "out.npz", "npz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.manifest.jsonl", "out.npz"]
    assert len(list(marks.read_manifest(tmp_path / "out.manifest.jsonl"))) == 2


def test_real_images_have_no_manifest(tmp_path: Path) -> None:
    export_images(pictures(4, synthetic=False), NAMES, tmp_path / "out", "folder")
    assert not (tmp_path / "out" / marks.MANIFEST).exists()


@pytest.mark.parametrize(("kind", "path"), [("folder", "out"), ("npz", "out/images.npz"), ("tfrecord", "out")])
def test_a_run_uses_no_synthetic_image_of_its_source(
    tmp_path: Path, kind: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    images = [*pictures(40, synthetic=False), *pictures(30, synthetic=True)]
    export_images(images, NAMES, tmp_path / "out", kind)
    config = Data(source=kind, path=str(tmp_path / path), image_size=8)
    preparation = prepare(config, seed=0)
    assert sum(int(counts.sum()) for counts in preparation.counts.values()) == 40
    assert len(preparation.skipped) == 30 and {reason for _, reason in preparation.skipped} == {marks.REASON}
    assert "30 images left out" in caplog.text
    with pytest.raises(UserError, match="real images only"):
        prepare(config.model_copy(update={"strict": True}), seed=0)


def test_a_source_of_synthetic_images_alone_is_refused(tmp_path: Path) -> None:
    export_images(pictures(20, synthetic=True), NAMES, tmp_path / "out", "folder")
    with pytest.raises(UserError, match=r"trainedAlgorithmicMedia\) \(and 19 more\), and a run learns from"):
        prepare(Data(source="folder", path=str(tmp_path / "out"), image_size=8), seed=0)


def test_marks_of_other_programs_count_too(make_folder: Callable[..., Path]) -> None:
    root = make_folder({"a": 8, "b": 8}, suffix="jpg")
    file = root / "a" / "003.jpg"
    packet = marks.XMP.encode()
    header = b"http://ns.adobe.com/xap/1.0/\x00"
    segment = b"\xff\xe1" + (len(header) + len(packet) + 2).to_bytes(2, "big") + header + packet
    content = file.read_bytes()
    file.write_bytes(content[:2] + segment + content[2:])
    preparation = prepare(Data(source="folder", path=str(root), image_size=8), seed=0)
    assert preparation.skipped == (("folder/a/003.jpg", marks.REASON),)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_no_synthetic_record_can_be_made_for_another_split_than_train(split: str) -> None:
    with pytest.raises(ValueError, match="in the split train only"):
        encode_example(
            b"", image_shape=(8, 8, 1), image_id="x", label=0, class_name="a", split=split, source="synthetic"
        )


def test_an_archive_with_unfit_marks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    np.savez(path, x_train=np.zeros((4, 8, 8), np.uint8), y_train=np.asarray([0, 1, 0, 1]), synthetic=np.zeros(3, bool))
    with pytest.raises(UserError, match=r"synthetic: is no bool\[4\]"):
        prepare(Data(source="npz", path=str(path), image_size=8), seed=0)


@pytest.mark.parametrize("content", ["{}\n", "no json\n", json.dumps({"id": "x"}) + "\n"])
def test_a_manifest_that_is_none_is_named_with_its_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "m.jsonl").write_text(content)
    with pytest.raises(UserError, match=r"m\.jsonl, line 1: is no line of a manifest"):
        list(marks.read_manifest(tmp_path / "m.jsonl"))
    with pytest.raises(UserError, match="cannot be read"):
        list(marks.read_manifest(tmp_path / "absent.jsonl"))
