"""`evenhand score` as a user meets it: two sources in, a table or JSON out, one sentence for every mistake."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from evenhand.cli.sources import data_section
from evenhand.config import Data
from evenhand.data.export import export_images
from evenhand.data.readable_images import open_readable
from evenhand.errors import UserError
from evenhand.evaluation.generative_scores import GenerativeScores
from evenhand.models.score_images import score_images
from tests.test_cli import evenhand

MEASURES = ("fid", "kid", "inception_score", "precision", "recall", "density", "coverage")
NAMES = ("lying", "standing", "dotted")


def bars(seed: int, counts: tuple[int, ...], size: int = 8) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Noisy pictures of a lying bar, a standing one, and dots."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    images = rng.normal(40, 20, (len(labels), size, size, 1))
    images[labels == 0, 3:5] += 150
    images[labels == 1, :, 3:5] += 150
    images[labels == 2, ::3, ::3] += 150
    return np.clip(images, 0, 255).astype(np.uint8), labels


def write(output: Path, kind: Any, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Path:
    rows = ((image, int(label), str(row)) for row, (image, label) in enumerate(zip(images, labels, strict=True)))
    export_images(rows, NAMES, output, kind)
    return output


def own_model(path: Path, shape: tuple[int | None, int | None, int | None]) -> str:
    """A network whose features are means over parts of the image."""
    images = keras.Input(shape)
    pooled = keras.layers.AveragePooling2D(2)(images)
    flat = keras.layers.Flatten()(pooled) if all(shape) else keras.ops.mean(pooled, axis=(1, 2))
    keras.Model(images, flat).save(path)
    return str(path)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that makes features, and the same kind of images in every form."""
    root = tmp_path_factory.mktemp("sources")
    own_model(root / "model.keras", (8, 8, 1))
    write(root / "real", "folder", *bars(0, (30, 25, 20)))
    write(root / "close.npz", "npz", *bars(1, (30, 25, 20)))
    write(root / "records", "tfrecord", *bars(1, (30, 25, 20)))
    noise = np.random.default_rng(0).integers(0, 256, (75, 8, 8, 1)).astype(np.uint8)
    write(root / "noise", "folder", noise, bars(1, (30, 25, 20))[1])
    return root


def scored(real: Path, synthetic: Path, extractor: str, **more: Any) -> GenerativeScores:
    sides = (open_readable(Data(**data_section(str(path))), path.name) for path in (real, synthetic))
    return score_images(*sides, extractor=extractor, **more)


def test_json_of_a_folder_and_an_archive(sources: Path) -> None:
    model = str(sources / "model.keras")
    done = evenhand("score", sources / "real", sources / "close.npz", "--extractor", model, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["extractor"].startswith("model-")
    assert found["images"] == "8 x 8 pixels, grey, Pillow bilinear"
    assert [row["class"] for row in found["per_class"]] == sorted(NAMES)
    assert [row["num_real"] for row in found["per_class"]] == [20, 30, 25]
    assert found["inception_score"] is None
    assert all(isinstance(found[name], float) for name in MEASURES if name != "inception_score")
    # The library says the same, and so do TFRecord files of the same images.
    for other in ("close.npz", "records"):
        again = scored(sources / "real", sources / other, model).to_dict()
        assert again.keys() == found.keys()
        assert again["warnings"] == found["warnings"] != []
        for row, same in zip([found, *found["per_class"]], [again, *again["per_class"]], strict=True):
            for name in MEASURES:
                assert row[name] == (None if same[name] is None else pytest.approx(same[name], rel=1e-6))


def test_a_table_and_the_warnings_are_printed(sources: Path) -> None:
    done = evenhand("score", sources / "real", sources / "real", "--extractor", sources / "model.keras", "-q")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("features   16 of model-")
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert rows["class"] == ["real", "synth.", "FID", "KID", "IS", "prec.", "recall", "dens.", "cover."]
    assert rows["all"][:2] == ["75", "75"]
    assert rows["dotted"][-1] == "1.000"
    assert any("75 of 75 synthetic images are exact copies of a real one" in line for line in lines)
    assert any("biased upwards" in line for line in lines)


def test_cnn_prefers_images_of_the_same_kind_to_noise(sources: Path) -> None:
    close = scored(sources / "real", sources / "close.npz", "cnn")
    noise = scored(sources / "real", sources / "noise", "cnn")
    assert close.is_comparable(noise)
    for (name, better), (same, worse) in zip(
        [("all", close.overall), *close.per_class], [("all", noise.overall), *noise.per_class], strict=True
    ):
        assert name == same
        assert better.fid is not None and worse.fid is not None and better.fid < worse.fid / 3
        assert better.kid is not None and worse.kid is not None and better.kid < worse.kid
    assert close.overall.inception_score is not None and close.overall.inception_score > 2


def test_classes_of_one_side_alone_and_folders_without_classes_are_said(sources: Path, tmp_path: Path) -> None:
    model = str(sources / "model.keras")
    images, labels = bars(2, (20, 20))
    write(tmp_path / "two.npz", "npz", images, labels)
    some = scored(sources / "real", tmp_path / "two.npz", model)
    # The archive names all three classes and has images of two.
    assert [(name, scores.num_synthetic) for name, scores in some.per_class] == [
        ("dotted", 0),
        ("lying", 20),
        ("standing", 20),
    ]
    assert some.per_class[0][1].fid is None
    flat = sources / "real" / "lying"
    none = scored(sources / "real", flat, model)
    assert none.per_class == ()
    assert none.overall.fid is not None and none.overall.fid > 0
    assert "no class of lying (images) is one of real (dotted, lying and standing)" in none.overall.warnings[0]
    alone = scored(flat, flat, model)
    assert [name for name, _ in alone.per_class] == ["images"]
    assert alone.overall.fid == pytest.approx(0.0, abs=1e-6)
    shutil.copytree(sources / "real" / "lying", tmp_path / "part" / "lying")
    part = scored(sources / "real", tmp_path / "part", model)
    assert [name for name, _ in part.per_class] == ["lying"]
    told = part.overall.warnings
    assert any("2 classes are in real alone" in warning and "dotted and standing" in warning for warning in told)


def test_classes_whose_names_cannot_be_folders_are_matched(sources: Path, tmp_path: Path) -> None:
    names = ("a/../b|c", "a/b")
    images, labels = bars(4, (20, 20))
    for output, kind in ((tmp_path / "real.npz", "npz"), (tmp_path / "drawn", "folder")):
        rows = (
            (image, int(label), f"synthetic/cgan/{names[label]}/0") for image, label in zip(images, labels, strict=True)
        )
        export_images(rows, names, output, kind)
    found = scored(tmp_path / "real.npz", tmp_path / "drawn", str(sources / "model.keras"))
    assert [(name, scores.num_synthetic) for name, scores in found.per_class] == [(name, 20) for name in names]


@pytest.mark.parametrize("kind", ["folder", "tfrecord", "npz"])
def test_synthetic_images_taken_for_real_ones_are_said(sources: Path, tmp_path: Path, kind: Any) -> None:
    """Of a balanced export: real images, and synthetic ones that fill the classes up."""
    model = str(sources / "model.keras")
    images, labels = bars(5, (12, 12, 12))
    rows = [
        (image, int(label), f"synthetic/cgan/{NAMES[label]}/{row}" if row % 3 == 0 else f"folder/{row}")
        for row, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    export_images(rows, NAMES, tmp_path / "balanced", kind)

    def notes(real: Path, synthetic: Path) -> list[str]:
        return [text for text in scored(real, synthetic, model).overall.warnings if "marked" in text]

    [note] = notes(tmp_path / "balanced", sources / "real")
    assert note.startswith("12 of 36 images of ") and "balanced, the real side, are marked as synthetic" in note
    assert not notes(sources / "real", tmp_path / "balanced"), "where they belong, nothing is to be said of them"


def test_the_note_on_synthetic_images_is_printed(sources: Path, tmp_path: Path) -> None:
    images, labels = bars(5, (12, 12, 12))
    rows = [
        (image, int(label), f"synthetic/cgan/{NAMES[label]}/0") for image, label in zip(images, labels, strict=True)
    ]
    export_images(rows, NAMES, tmp_path / "drawn", "folder")
    done = evenhand("score", tmp_path / "drawn", sources / "real", "--extractor", sources / "model.keras", "-q")
    assert done.returncode == 0, done.stderr
    assert any(line.startswith("- 36 of 36 images of ") for line in done.stdout.splitlines())


def test_images_come_to_one_size_and_number_of_channels(sources: Path, tmp_path: Path) -> None:
    images, labels = bars(3, (20, 20, 20), size=12)
    write(tmp_path / "colour", "folder", images * np.array([1, 1, 0], np.uint8), labels)
    pooled = own_model(tmp_path / "open.keras", (None, None, None))
    found = scored(sources / "real", tmp_path / "colour", pooled)
    assert found.images == "8 x 8 pixels, RGB, Pillow bilinear"
    assert scored(tmp_path / "colour", sources / "real", pooled, image_size=16).images.startswith("16 x 16")
    with pytest.raises(UserError, match=r"--image-size: is 16, but model-\w+ takes 8 pixels"):
        scored(sources / "real", sources / "real", str(sources / "model.keras"), image_size=16)


def test_a_model_whose_features_are_not_finite_is_refused(sources: Path, tmp_path: Path) -> None:
    images = keras.Input((8, 8, 1))
    keras.Model(images, keras.ops.log(keras.layers.Flatten()(images) - 300.0)).save(tmp_path / "log.keras")
    with pytest.raises(UserError, match=r"log-\w+: gives features that are not finite"):
        scored(sources / "real", sources / "real", str(tmp_path / "log.keras"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["REAL", "nowhere"], "nowhere: is no source that exists"),
        (["REAL", "empty"], "holds no images in class folders"),
        (["no.npz", "REAL"], "is no readable .npz archive"),
        (["REAL", "REAL", "--extractor", "inceptio"], "--extractor: unknown name 'inceptio'; did you mean 'inception'"),
        (["REAL", "REAL", "--extractor", "x/model"], "x/model: there is no such model"),
        (["REAL", "REAL", "--image-size", "4"], "--image-size"),
        (["REAL"], "Missing argument 'SYNTHETIC'"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(
    sources: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.npz").write_bytes(b"no archive")
    done = evenhand("score", *(str(sources / "real") if a == "REAL" else a for a in arguments), folder=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.startswith("evenhand: ") and done.stderr.count("\n") == 1


def test_one_image_is_spoken_of_as_one(sources: Path, tmp_path: Path) -> None:
    images, labels = bars(0, (30, 25, 20))
    images[1:] = np.random.default_rng(1).integers(0, 256, images[1:].shape)
    copying = write(tmp_path / "copying.npz", "npz", images, labels)
    notes = " ".join(scored(sources / "real", copying, str(sources / "model.keras")).overall.warnings)
    assert "1 of 75 synthetic images is an exact copy of a real one" in notes
