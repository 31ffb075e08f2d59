"""A finished run with real and synthetic images, written without training, and `evenhand rate` started on it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from evenhand.data import records
from evenhand.data.decode import encode_png
from evenhand.data.sidecar import DataSummary
from evenhand.pipeline.layout import INDEX
from evenhand.report import samples
from evenhand.report.collect import Evidence, build_result

CLASSES = ("cat", "<b>dog", "rare")
NUM_TEST = {"cat": 6, "<b>dog": 5, "rare": 2}


def write_examples(folder: Path, split: str, source: str, counts: list[int]) -> list[samples.Sample]:
    """An Examples artifact of one split: real images are flat greys, synthetic ones are noise."""
    rng = np.random.default_rng(len(source))
    written, made = [], []
    for k, name in enumerate(CLASSES):
        for i in range(counts[k]):
            pixels = np.full((16, 16, 1), 60 * k + i, np.uint8)
            if source == "synthetic":
                pixels = rng.integers(0, 256, (16, 16, 1), dtype=np.uint8)
            image_id = f"synthetic/cgan/{name}/{i}" if source == "synthetic" else f"photos/{name}/{i}.png"
            written.append(
                records.encode_example(
                    encode_png(pixels),
                    image_shape=pixels.shape,
                    image_id=image_id,
                    label=k,
                    class_name=name,
                    split=split,
                    source=source,
                    seed=i if source == "synthetic" else None,
                )
            )
            made.append(samples.Sample(name, source, image_id, encode_png(pixels)))
    records.write_shard(str(folder / f"Split-{split}" / records.shard_name(0, 1)), written)
    DataSummary(
        class_names=CLASSES, image_shape=(16, 16, 1), counts={split: tuple(counts)}, source="folder", fingerprint="f0"
    ).write(folder)
    return made


def write_run(output: Path, make_evidence: Callable[..., Evidence]) -> Path:
    """A run's output folder with its result, samples, index and images."""
    output.mkdir(parents=True)
    write_examples(output / "artifacts" / "real", "test", "real", list(NUM_TEST.values()))
    drawn = write_examples(output / "artifacts" / "synthetic", "train", "synthetic", [8, 8, 8])
    index = {
        "ImbalancedExampleGen/examples": "artifacts/real",
        "SyntheticExampleGen/synthetic": "artifacts/synthetic",
    }
    (output / INDEX).write_text(json.dumps(index))
    result = build_result(make_evidence(class_names=CLASSES)).completed("pets", {"name": "pets"}, {}, {})
    (output / "result.json").write_text(result.to_json(), encoding="utf-8")
    samples.write_samples(output / samples.FILE_NAME, drawn)
    return output


@dataclass
class Server:
    """`evenhand rate` at work.

    Attributes:
      process: the command.
      url: of its page.
    """

    process: subprocess.Popen[str]
    url: str

    def get(self, place: str = "") -> bytes:
        """What a GET of a place below the page's address answers."""
        with urllib.request.urlopen(self.url + place, timeout=30) as answer:
            return answer.read()

    def state(self) -> dict:
        """The state that the page was given."""
        found = re.search(r"const state = (\{.*\});", self.get().decode())
        assert found is not None
        return json.loads(found[1])

    def post(self, body: object, headers: dict[str, str] | None = None, place: str = "rating") -> dict:
        """Posts JSON."""
        request = urllib.request.Request(
            self.url + place,
            data=body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def end(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        """Sends a signal; the exit status and what was printed."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@contextmanager
def serving(run: Path, *options: object) -> Iterator[Server]:
    """Starts `evenhand rate` and waits for its address."""
    command = [sys.executable, "-m", "evenhand.cli", "rate", str(run), "--no-browser", *map(str, options)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+/\S+", line)
            if found:
                yield Server(process, found[0])
                break
        else:
            pytest.fail(f"no address was printed: {process.communicate()[1]}")
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
