"""The benchmark of ingestion writes its section of the page, and leaves the others alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import performance_page
from benchmarks.ingestion import main


def test_the_section_has_every_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, archive = tmp_path / "performance.md", tmp_path / "few.npz"
    page.write_text("# Performance\n\n## Ingestion\n\nolder\n\n## Other\n\nkept\n")
    monkeypatch.setattr(performance_page, "PAGE", page)
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(archive, x_train=images, y_train=np.arange(60) % 2)
    main([str(archive), "--image-size", "16"])
    assert "older" in page.read_text()
    main([str(archive), "--image-size", "16", "--write"])
    text = page.read_text()
    assert "older" not in text and text.endswith("## Other\n\nkept\n")
    assert "By `python -m benchmarks.ingestion few.npz`" in text and "60 images resized to 16 px" in text
    rows = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")]
    assert rows[2:] == [
        "scan, duplicates, splits",
        "resize, encode as PNG, write TFRecords",
        "ingestion in all",
        "fingerprint of the source",
        "read the training images back into a memory-mapped table",
    ]
