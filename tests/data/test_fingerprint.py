"""The fingerprint sees every change of names and contents, and reads unchanged files once."""

from __future__ import annotations

import os
import time

import pytest

from evenhand.config import Data
from evenhand.data import fingerprint as module
from evenhand.data.fingerprint import fingerprint, of_files


@pytest.fixture
def root(make_folder):
    return make_folder({"a": 3, "b": 3})


def of(root) -> str:
    return fingerprint(Data(source="folder", path=str(root)))


def test_it_is_stable_and_does_not_depend_on_the_place(root):
    first = of(root)
    assert first == of(root) and len(first) == 32
    moved = root.rename(root.with_name("moved"))
    assert of(moved) == first


def test_new_renamed_changed_and_removed_files_change_it(root):
    seen = [of(root)]
    (root / "a" / "new.png").write_bytes(b"x")
    seen.append(of(root))
    (root / "a" / "new.png").rename(root / "a" / "other.png")
    seen.append(of(root))
    (root / "a" / "other.png").write_bytes(b"y")
    seen.append(of(root))
    (root / "a" / "000.png").unlink()
    seen.append(of(root))
    assert len(set(seen)) == 5


def test_content_may_not_flow_between_files(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"ab"), two.write_bytes(b"c")
    first = of_files([("one", one), ("two", two)])
    one.write_bytes(b"a"), two.write_bytes(b"bc")
    assert of_files([("one", one), ("two", two)]) != first


def test_settled_files_are_read_once(tmp_path, monkeypatch):
    monkeypatch.setenv(module.STATE_VARIABLE, str(tmp_path / "state"))
    file = tmp_path / "file"
    file.write_bytes(b"first")
    long_ago = time.time() - 100
    os.utime(file, (long_ago, long_ago))
    first = of_files([("file", file)])
    # The same size and time, so that only reading it again would tell.
    file.write_bytes(b"other")
    os.utime(file, (long_ago, long_ago))
    assert of_files([("file", file)]) == first
    os.utime(file, (long_ago + 1, long_ago + 1))
    assert of_files([("file", file)]) != first


def test_a_file_changed_just_now_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setenv(module.STATE_VARIABLE, str(tmp_path / "state"))
    file = tmp_path / "file"
    file.write_bytes(b"first")
    now = time.time()
    os.utime(file, (now, now))
    first = of_files([("file", file)])
    file.write_bytes(b"other")
    os.utime(file, (now, now))
    assert of_files([("file", file)]) != first


def test_digits_have_one():
    assert fingerprint(Data()) == fingerprint(Data())
