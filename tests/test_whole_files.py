"""A file is replaced as a whole, or stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.whole_files import replace_text, replacing


def test_the_new_text_takes_the_place_of_the_old(tmp_path: Path) -> None:
    for text in ("old", "n\u00e9w"):
        replace_text(tmp_path / "a.txt", text)
        assert (tmp_path / "a.txt").read_text("utf-8") == text
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_was_there_stays_until_the_new_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
