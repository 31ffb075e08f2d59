"""`evenhand rate`, started as a command and driven over HTTP: blind images, answers that last, and what is refused."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import shutil
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.report.collect import Evidence
from evenhand.report.rating_deck import deal
from evenhand.report.ratings import RaterFile, path_of, read, study_of
from tests.report.human_study import CLASSES, serving, write_run


@pytest.fixture(scope="module")
def made(make_evidence: Callable[..., Evidence], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("human") / "run", make_evidence)


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def ratings(run: Path, rater: str = "me") -> RaterFile:
    return RaterFile.model_validate_json((run / "ratings" / f"{rater}.json").read_bytes())


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "evenhand.cli", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def test_images_are_blind_and_answers_are_saved_undone_and_kept_when_killed(run: Path) -> None:
    with serving(run, "--per-class", 4) as server:
        state = server.state()
        assert state["rated"] == 0
        # Four real and four synthetic ones of two classes, and two of either of the class that has two test images.
        assert sorted(image["class"] for image in state["images"]) == sorted(
            ["cat"] * 8 + ["<b>dog"] * 8 + ["rare"] * 4
        )
        pngs = [server.get(f"image/{image['key']}.png") for image in state["images"]]
        assert len({len(png) for png in pngs}) == 1
        is_real = [np.asarray(Image.open(io.BytesIO(png))).std() == 0 for png in pngs]
        assert sum(is_real) == 10
        assert is_real != sorted(is_real) and is_real != sorted(is_real, reverse=True)
        for png in pngs:
            image = Image.open(io.BytesIO(png))
            image.load()
            assert not image.info and image.getexif() == {}
        page = server.get().decode()
        for word in ("synthetic", "photos/", "cgan", "real.png"):
            assert word not in page.lower().replace("realism", "")
        assert "<b>dog" not in page

        keys = [image["key"] for image in state["images"]]
        assert server.post({"image": keys[0], "rating": 5}) == {"rated": 1, "total": 20}
        [first] = ratings(run).ratings
        assert (first.rating, first.source, first.class_) == (
            5, "real" if is_real[0] else "synthetic", state["images"][0]["class"],
        )  # fmt: skip
        server.post({"image": keys[1], "rating": 2})
        assert server.post({"image": keys[1], "rating": None}) == {"rated": 1, "total": 20}
        assert ratings(run).ratings == (first,)
        for number, key in enumerate(keys[1:4], start=2):
            server.post({"image": key, "rating": number})
            assert len(ratings(run).ratings) == number
        server.end(signal.SIGKILL)
    saved = ratings(run)
    assert [r.rating for r in saved.ratings] == [5, 2, 3, 4]
    assert [path.name for path in (run / "ratings").iterdir() if not path.name.startswith(".")] == ["me.json"]

    # A longer study goes on where the shorter one was killed.
    with serving(run, "--per-class", 5) as server:
        state = server.state()
        assert (state["rated"], len(state["images"])) == (4, 24)
        shown = {hashlib.sha256(server.get(f"image/{image['key']}.png")).digest() for image in state["images"][:4]}
        assert shown == {hashlib.sha256(png).digest() for png in pngs[:4]}
        for image in state["images"][4:]:
            flat = np.asarray(Image.open(io.BytesIO(server.get(f"image/{image['key']}.png")))).std() == 0
            server.post({"image": image["key"], "rating": 5 if flat else 1})
        status, out, err = server.end()
    assert status == 130
    assert f"24 of 24 images are rated, in {run / 'ratings' / 'me.json'}" in out
    assert err == ""
    assert ratings(run).ratings[:4] == saved.ratings

    again = command("rate", run, "--no-browser", "--per-class", 5)
    assert (again.returncode, "all 24 images are rated" in again.stdout) == (0, True)

    done = command("report", run)
    assert done.returncode == 0, done.stderr
    realism = json.loads((run / "result.json").read_text())["realism"]
    assert (realism["overall"]["num_real"], realism["overall"]["num_synthetic"]) == (12, 12)
    assert sum(realism["overall"]["real_counts"]) == 12
    assert realism["overall"]["told_apart"]["value"] > 0.7
    assert [entry["class"] for entry in realism["per_class"]] == list(CLASSES)
    for file in ("report.html", "report.md"):
        assert "How real the images look" in (run / file).read_text()
        assert "&lt;b" in (run / file).read_text()
        assert "<b>dog" not in (run / file).read_text()


def test_what_the_server_refuses(run: Path) -> None:
    with serving(run, "--per-class", 1) as server:
        key = server.state()["images"][0]["key"]
        other = server.state()["images"][1]["key"]

        def refused(status: int, *arguments: object, **more: object) -> None:
            with pytest.raises(urllib.error.HTTPError) as caught:
                server.post(*arguments, **more)
            assert caught.value.code == status

        for wrong in (0, 6, 2.5, True, "5", [1], None.__class__.__name__):
            refused(400, {"image": key, "rating": wrong})
        for body in (b"", b"{", b"[]", b"\xff\xfe", {"image": key}, {"image": 3, "rating": 3}):
            refused(400, body)
        refused(409, {"image": "0" * 24, "rating": 3})
        refused(409, {"image": key, "rating": None})
        refused(404, {"image": key, "rating": 3}, {"Content-Type": "text/plain"})
        refused(404, {"image": key, "rating": 3}, {"Origin": "https://example.org"})
        refused(404, {"image": key, "rating": 3}, {"Host": "example.org"})
        refused(404, {"image": key, "rating": 3, "more": "x" * 2000})
        refused(404, {"image": key, "rating": 3}, place="other")
        assert not (run / "ratings" / "me.json").exists()
        server.post({"image": key, "rating": 3})
        refused(409, {"image": key, "rating": 4})
        server.post({"image": other, "rating": 3})
        refused(409, {"image": key, "rating": None})

        address = urlsplit(server.url)
        paths = ["/", "/x/", "/image/" + key, address.path.rstrip("/"), address.path + "image/../x.png", "/etc/passwd"]
        for path in paths:
            connection = http.client.HTTPConnection(address.hostname or "", address.port)
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 404 and key.encode() not in answer.read()
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        connection.request("DELETE", address.path)
        assert connection.getresponse().status == 501
        answer_headers = {}
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        connection.request("GET", address.path)
        answer_headers = dict(connection.getresponse().getheaders())
        assert "default-src 'none'" in answer_headers["Content-Security-Policy"]
        assert answer_headers["Cache-Control"] == "no-store"

        # Two processes would overwrite each other's answers.
        second = command("rate", run, "--no-browser")
        assert (second.returncode, second.stderr.count("\n")) == (2, 1)
        assert "me is rating already" in second.stderr
        taken = command("rate", run, "--no-browser", "--rater", "b", "--port", address.port)
        assert taken.returncode == 2
        assert f"--port {address.port}: cannot be served" in taken.stderr
        assert server.end(signal.SIGTERM)[0] == 143
    assert [r.rating for r in ratings(run).ratings] == [3, 3]


def test_raters_see_the_same_images_in_their_own_order() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    labels = np.repeat([0, 1], 20).astype(np.int32)
    real = ImageTable(images, labels, np.array([f"r{i}" for i in range(40)]), ("cat", "dog"))
    synthetic = ImageTable(images[::-1], labels, np.array([f"s{i}" for i in range(40)]), ("cat", "dog"))

    def order(rater: str, per_class: int = 5) -> list[str]:
        return [card.image_id for card in deal(real, synthetic, per_class=per_class, seed=0, rater=rater)]

    assert sorted(order("anna")) == sorted(order("bert"))
    assert order("anna") != order("bert")
    assert order("anna") == order("anna")
    assert [i for i in order("anna", 9) if i in order("anna")] == order("anna")
    assert len(order("anna", 9)) == 36
    assert order("anna") != [card.image_id for card in deal(real, synthetic, per_class=5, seed=1, rater="anna")]


def test_bad_input_is_one_sentence(run: Path, tmp_path: Path) -> None:
    def refused(sentence: str, *arguments: object) -> None:
        done = command("rate", *arguments, "--no-browser")
        assert done.returncode == 2, done.stderr
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1

    refused("holds no finished run", tmp_path)
    refused("is no name of 1 to 64", run, "--rater", "../x")
    for rater in ("", ".hidden", "a/b", "x" * 65):
        with pytest.raises(UserError, match="is no name of 1 to 64"):
            path_of(run, rater)
    refused("--per-class", run, "--per-class", 0)
    (run / "ratings").mkdir()
    file = run / "ratings" / "me.json"
    for content in ("{", "[]", '{"rater": "me", "study": "x", "seed": 0, "ratings": [{"rating": 9}]}'):
        file.write_text(content)
        with pytest.raises(UserError, match="holds no ratings"):
            read(file)
    refused("holds no ratings", run)
    file.write_text(RaterFile(rater="me", study="0" * 16, seed=0).model_dump_json())
    refused("is of other images", run)
    file.write_text(json.dumps({"rater": "me", "study": study_of(run), "seed": 3}))
    refused("were begun with seed 3", run)
    (run / "artifacts.json").write_text(json.dumps({"ImbalancedExampleGen/examples": "artifacts/real"}))
    refused("this run made no synthetic images", run, "--rater", "new")
