"""A generator that copies is caught by a run of the real pipeline: the gate fails, and everything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from evenhand.config import RunConfig
from evenhand.data.decode import encode_png, to_pixels
from evenhand.data.image_set import SPLITS
from evenhand.data.prepare import prepare
from evenhand.report.copy_pairs import FILE_NAME, read_pairs
from evenhand.report.result import Result
from tests.pipeline.conftest import TWO_DIGITS, evenhand

CONFIG = {
    **TWO_DIGITS,
    "name": "copies",
    "generator": {"name": "folder"},
    "synthetic": {"per_class": 12, "max_copy_share": 0.5},
    "strategies": ["baseline", "pretrain_finetune"],
}


def _give(folder: Path, split: str) -> None:
    """Writes real images of one split of the run as images that a generator would have drawn."""
    preparation = prepare(RunConfig.model_validate({"data": CONFIG["data"]}).data, seed=0)
    images = preparation.image_set
    for label, name in enumerate(images.class_names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        rows = ((preparation.split == SPLITS.index(split)) & (images.labels == label)).nonzero()[0][:12]
        for row in rows.tolist():
            png = encode_png(to_pixels(images.read(row), 16, 1), synthetic=True)
            (folder / name / f"{row}.png").write_bytes(png)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("copies")
    _give(path / "train", "train")
    _give(path / "test", "test")
    (path / "copies.yaml").write_text(yaml.safe_dump(CONFIG))
    return path


def test_copies_of_training_images_fail_the_gate_and_all_is_written(folder: Path) -> None:
    options = ["--set", f"generator.options={{path: {folder / 'train'}}}", "--output", folder / "run"]
    done = evenhand("run", folder / "copies.yaml", *options)
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stderr.startswith("evenhand: synthetic.max_copy_share: 100.0% of the synthetic images are copies")
    assert done.stderr.count("\n") == 1
    result = Result.load(folder / "run")
    assert result.audit is not None and result.audit.share == 1.0 and result.audit.num_leaks == 0
    assert [row.copies for row in result.audit.per_class] == [12, 12]
    assert "; 100.0% of the synthetic images are copies of training images, more than the 50.0% that" in result.verdict
    assert result.generator is not None and result.generator.scores is not None
    assert result.generator.scores["num_synthetic"] == 24
    assert len(read_pairs(folder / "run" / FILE_NAME)) == 16
    assert "Copies of real images" in (folder / "run" / "report.html").read_text()


def test_exact_copies_of_test_images_are_an_error_without_any_gate(folder: Path) -> None:
    options = ["--set", f"generator.options={{path: {folder / 'test'}}}", "--set", "synthetic.max_copy_share=null"]
    done = evenhand("run", folder / "copies.yaml", *options, "--output", folder / "run")
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stderr.startswith("evenhand: 24 synthetic images are exact copies of test images, so that ")
    assert "e.g. synthetic/folder/0/0 repeats digits/" in done.stderr
    result = Result.load(folder / "run")
    assert result.audit.num_leaks == 24 and result.verdict.startswith("24 synthetic images are exact copies")
