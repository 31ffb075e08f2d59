"""`folder`: the user's own synthetic images, each drawn once and never more than there are."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from evenhand.config import Generator, RunConfig, parse_options
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models.generator_artifact import GeneratorCard, load_sampler, save_generator
from evenhand.models.generators import folder
from evenhand.models.preflight import check_models
from evenhand.models.sample_generator import capped, sample_generator
from evenhand.models.train_generator import train_generator
from tests.tables import noise


def save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def plain(value: int, size: int = 8) -> NDArray[np.uint8]:
    return np.full((size, size), value, np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three images of a, one of b, none of c: plain grey ones, which no resize changes."""
    for number, value in enumerate((10, 20, 30)):
        save(tmp_path / "given" / "a" / f"{number}.png", plain(value))
    save(tmp_path / "given" / "b" / "only.png", plain(40, size=20))
    return tmp_path / "given"


def build(root: Path, table: ImageTable | None = None) -> folder.GivenImages:
    return folder.build(folder.Options(path=str(root)), table or noise((8, 8, 1), (5, 4, 3)), seed=0)


def greys(images: tf.Tensor) -> list[int]:
    values = (np.asarray(images) + 1.0) * 127.5
    assert (values == values[:, :1, :1]).all()
    return [round(float(value)) for value in values[:, 0, 0, 0]]


def test_seed_n_is_the_nth_file_of_the_class(root: Path) -> None:
    model = build(root)
    images = model.sample(tf.constant([0, 0, 0, 1]), tf.constant([2, 0, 1, 0], tf.int64))
    assert images.dtype == tf.float32
    assert greys(images) == [30, 10, 20, 40]
    assert model.available == (3, 1, 0)


def test_a_block_reaches_beyond_the_last_image_without_harm(root: Path) -> None:
    labels, seeds = tf.constant([0, 1, 2, 2]), tf.constant([3, 2**40, 0, 5], tf.int64)
    assert greys(build(root).sample(labels, seeds)) == [10, 40, 0, 0]


def test_images_are_resized_as_real_ones_are(tmp_path: Path) -> None:
    checks = np.zeros((16, 16), np.uint8)
    checks[:, ::2] = 100
    save(tmp_path / "a" / "0.png", checks)
    model = build(tmp_path, noise((8, 8, 3), (2, 2)))
    assert model.pixels.shape == (1, 8, 8, 3)
    inner = np.asarray(model.pixels)[0, 2:-2, 2:-2]
    np.testing.assert_array_equal(inner, 50)


def test_what_is_left_out_is_told(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "a" / "broken.png").write_bytes(b"no image")
    (root / "a" / "notes.txt").write_text("no image either")
    save(root / "Dog" / "0.png", plain(1))
    with caplog.at_level(logging.WARNING):
        assert build(root).available == (3, 1, 0)
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "no class is called Dog" in told
    assert "2 files left out, e.g. folder/a/notes.txt" in told
    assert "holds no images of c" in told


@pytest.mark.parametrize(
    ("files", "problem"),
    [(None, "is no folder"), (["dog/0.png"], "holds no readable image of any class"), ([], "holds no images")],
)
def test_a_folder_of_nothing_is_refused(tmp_path: Path, files: list[str] | None, problem: str) -> None:
    root = tmp_path / "given"
    if files is not None:
        root.mkdir()
    for name in files or ():
        save(root / name, plain(1))
    with pytest.raises(UserError, match=problem):
        build(root)


def test_a_wrong_folder_is_told_before_anything_is_read_and_names_the_option(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty" / "a").mkdir(parents=True)
    save(tmp_path / "flat" / "0.png", plain(1))
    for path, problem in (
        (tmp_path / "none", "is no folder"),
        (tmp_path / "flat" / "0.png", "is no folder"),
        (tmp_path / "empty", "holds no images in class folders"),
        (tmp_path / "flat", "holds no images in class folders"),
    ):
        with pytest.raises(UserError, match=rf"^generator\.options\.path: .*{problem}"):
            check_models(RunConfig(generator=Generator(name="folder", options={"path": str(path)})))
    check_models(RunConfig(generator=Generator(name="folder", options={"path": str(root)})))


def test_the_home_folder_may_be_abbreviated(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root.parent))
    options = parse_options(folder.Options, {"path": "~/given"}, "generator.options")
    assert folder.build(options, noise((8, 8, 1), (5, 4, 3)), seed=0).available == (3, 1, 0)


def test_nothing_is_trained_and_everything_is_saved(root: Path, tmp_path: Path) -> None:
    config = Generator(name="folder", steps=500, options={"path": str(root)})
    run = train_generator(noise((8, 8, 1), (5, 4, 3)), config, state_dir=tmp_path / "state", deterministic=False)
    assert (run.steps, run.history, run.assessment) == (0, (), None)
    assert not (tmp_path / "state").exists()
    save_generator(run, tmp_path / "saved", class_names=("a", "b", "c"))
    for path in root.rglob("*.png"):
        path.unlink()
    assert GeneratorCard.read(tmp_path / "saved").available == (3, 1, 0)
    images = sample_generator(load_sampler(tmp_path / "saved"), label=0, count=3)
    assert images[:, 0, 0, 0].tolist() == [10, 20, 30]


def test_fingerprint_changes_with_the_images(root: Path) -> None:
    options = folder.Options(path=str(root))
    before = folder.fingerprint(options)
    assert folder.fingerprint(options) == before
    save(root / "a" / "0.png", plain(11))
    assert folder.fingerprint(options) != before


def test_a_plan_is_capped_by_what_there_is(caplog: pytest.LogCaptureFixture) -> None:
    names = ("a", "b", "c")
    assert capped([5, 5, 5], None, names) == [5, 5, 5]
    with caplog.at_level(logging.WARNING):
        assert capped([2, 3, 0], (2, 9, 0), names) == [2, 3, 0]
        assert not caplog.records
        assert capped([0, 3, 5], (9, 2, 0), names) == [0, 2, 0]
    assert "b (2 of 3), c (0 of 5)" in caplog.records[0].getMessage()
    with pytest.raises(UserError, match="no image of any class"):
        capped([0, 3, 3], (9, 0, 0), names)
