"""The output folder after runs that take turns."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.errors import UserError
from evenhand.pipeline.layout import INDEX, RunFolder, keep_newest, replace_folder


def _push(folder: Path, version: int, content: str) -> Path:
    pushed = folder / str(version)
    (pushed / "variables").mkdir(parents=True)
    (pushed / "model.keras").write_text(content)
    (pushed / "variables" / "data").write_text(content)
    return pushed


def test_the_model_of_this_run_is_the_highest_version(tmp_path: Path) -> None:
    first, second = _push(tmp_path, 100, "first"), _push(tmp_path, 200, "second")
    assert keep_newest(second) == second
    newest = keep_newest(first)
    assert int(newest.name) > 200
    assert (newest / "variables" / "data").read_text() == "first"
    # A further run of the same config finds it there.
    assert keep_newest(first) == newest
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["100", "200", newest.name])


def test_a_replaced_folder_holds_the_new_parts_only(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "gone").write_text("x")
    (tmp_path / "part").write_text("y")
    replace_folder(tmp_path / "old", {"kept": tmp_path / "part"})
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["kept"]


@pytest.mark.parametrize("text", ["{bad", "7", ""])
def test_a_damaged_index_is_told_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEX).write_text(text)
    with pytest.raises(UserError, match=rf"{INDEX}: is damaged; run the same config again"):
        RunFolder(tmp_path)
