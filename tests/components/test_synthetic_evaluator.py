"""The judge of synthetic images through its executor: planted copies and leaks end up in what the report reads."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tfx.types import standard_artifacts

from evenhand.components.artifacts import SyntheticEvaluation
from evenhand.components.synthetic_evaluator import AUDIT_FILE, SCORES_FILE, Executor, Settings
from evenhand.config import Data
from evenhand.data import records
from evenhand.data.decode import encode_png, to_pixels
from evenhand.data.image_set import SPLITS
from evenhand.data.marks import is_marked
from evenhand.data.sidecar import DataSummary
from evenhand.data.sources.digits import open_source
from evenhand.errors import UserError
from evenhand.models.judge_synthetic import judge_synthetic
from evenhand.report.audit_part import AuditPart
from evenhand.report.copy_pairs import FILE_NAME, read_pairs
from tests.tables import noise

NAMES = ("3", "5", "8")


def _write(folder: Path, parts: dict[str, tuple[np.ndarray, np.ndarray]], source: str) -> standard_artifacts.Examples:
    counts = {}
    for split, (pixels, labels) in parts.items():
        name = f"{folder}/Split-{split}/{records.shard_name(0, 1)}"
        records.write_shard(
            name,
            (
                records.encode_example(
                    encode_png(image, synthetic=source == "synthetic"),
                    image_shape=image.shape,
                    image_id=f"{source}/{split}/{row}",
                    label=int(label),
                    class_name=NAMES[label],
                    split=split,
                    source=source,
                )
                for row, (image, label) in enumerate(zip(pixels, labels, strict=True))
            ),
        )
        counts[split] = tuple(np.bincount(labels, minlength=3).tolist())
    DataSummary(class_names=NAMES, image_shape=(16, 16, 1), counts=counts, source="digits", fingerprint="f").write(
        folder
    )
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    return artifact


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic images: 5 mirrored training images, 2 exact test images, and 30 fresh digits that no split holds."""
    digits = open_source(Data())
    rows = np.flatnonzero(np.isin(digits.labels, [3, 5, 8]))[:400]
    pixels = np.stack([to_pixels(digits.read(int(row)), 16, 1) for row in rows])
    labels = np.searchsorted([3, 5, 8], digits.labels[rows]).astype(np.int32)
    cuts = {"train": slice(0, 90), "validation": slice(90, 120), "test": slice(120, 340)}
    assert tuple(cuts) == SPLITS[1:]
    folder = tmp_path_factory.mktemp("judged")
    real = _write(folder / "real", {split: (pixels[cut], labels[cut]) for split, cut in cuts.items()}, "real")
    chosen = np.concatenate([pixels[:5, :, ::-1], pixels[200:202], pixels[340:370]])
    given = np.concatenate([labels[:5], labels[200:202], labels[340:370]])
    synthetic = _write(folder / "synthetic", {"train": (chosen, given)}, "synthetic")
    evaluation = SyntheticEvaluation()
    evaluation.uri = str(folder / "evaluation")
    Executor().Do(
        {"examples": [real], "synthetic": [synthetic]},
        {"evaluation": [evaluation]},
        {"settings": Settings(seed=0).canonical_json()},
    )
    return folder / "evaluation"


def test_the_audit_names_copies_and_leaks(judged: Path) -> None:
    part = AuditPart.model_validate_json((judged / AUDIT_FILE).read_bytes())
    assert part.reference == "held-out" and part.num_references == 250
    mirrored = [pair for pair in part.pairs if pair.space == "pixels" and pair.distance == 0]
    assert {(pair.synthetic_id, pair.real_id) for pair in mirrored} == {
        (f"synthetic/train/{row}", f"real/train/{row}") for row in range(5)
    }
    assert 5 <= part.copies <= 8 and part.share == pytest.approx(part.copies / 37)
    assert sum(seen.copies for seen in part.per_class) == part.copies
    assert part.num_leaks == 2
    assert [(leak.synthetic_id, leak.test_id) for leak in part.leaks] == [
        ("synthetic/train/5", "real/test/80"),
        ("synthetic/train/6", "real/test/81"),
    ]


def test_scores_are_those_of_evenhand_score(judged: Path) -> None:
    scores = json.loads((judged / SCORES_FILE).read_text())
    part = AuditPart.model_validate_json((judged / AUDIT_FILE).read_bytes())
    assert scores["extractor"] == part.extractor
    assert scores["num_real"] == 250 and scores["num_synthetic"] == 37
    assert scores["fid"] >= 0 and [row["class"] for row in scores["per_class"]] == list(NAMES)


def test_pairs_keep_their_pictures(judged: Path) -> None:
    part = AuditPart.model_validate_json((judged / AUDIT_FILE).read_bytes())
    pairs = read_pairs(judged / FILE_NAME)
    assert [pair.synthetic_id for pair in pairs] == [pair.synthetic_id for pair in part.pairs]
    exact = next(pair for pair in pairs if pair.synthetic_id == "synthetic/train/0")
    ours, theirs = (np.asarray(Image.open(io.BytesIO(png))) for png in (exact.synthetic_png, exact.real_png))
    np.testing.assert_array_equal(ours[:, ::-1], theirs)
    assert is_marked(exact.synthetic_png) and not is_marked(exact.real_png)


def test_too_few_training_images_are_told_in_one_sentence() -> None:
    two, none = noise((16, 16, 1), (1, 1), seed=0), noise((16, 16, 1), (0, 0), seed=0)
    with pytest.raises(UserError, match="^data: 2 training images are too few to tell .* leave out the strategies"):
        judge_synthetic(two, two, none, none, seed=0)
