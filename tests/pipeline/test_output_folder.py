"""An output folder is taken when it is free or ours, and given back as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evenhand.components.workspace import state_folder
from evenhand.errors import UserError
from evenhand.pipeline import output_folder


def everything(folder: Path) -> dict[str, bytes]:
    """Path -> content of all files and folders below `folder`."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def test_a_claimed_folder_is_a_run_of_ours_and_can_be_claimed_again(tmp_path: Path) -> None:
    output = tmp_path / "a" / "b"
    first = output_folder.claim(output, "name: one\n")
    assert first.is_new
    assert (output / "config.yaml").read_text() == "name: one\n"
    again = output_folder.claim(output, "name: two\n")
    assert not again.is_new
    assert (output / "config.yaml").read_text() == "name: two\n"
    assert sorted(path.name for path in output.iterdir()) == [".evenhand-run", "config.yaml"]


def test_the_state_folder_is_known_while_a_folder_is_occupied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENHAND_STATE", raising=False)
    with output_folder.occupied(tmp_path / "one", "name: one\n") as claim:
        assert state_folder("tables") == claim.state / "tables" == tmp_path / "one" / "state" / "tables"
        with pytest.raises(UserError), output_folder.occupied(tmp_path / "two", "name: two\n"):
            assert state_folder() == tmp_path / "two" / "state"
            raise UserError("a", "b", "c")
        assert state_folder() == claim.state
    assert state_folder() is None


@pytest.mark.parametrize("existing", ["", "a", "a/b"])
def test_undo_leaves_the_disk_as_it_was(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).mkdir(parents=True, exist_ok=True)
    before = everything(tmp_path)
    claim = output_folder.claim(tmp_path / "a" / "b", "name: one\n")
    (tmp_path / "a" / "b" / "logs").mkdir()
    (tmp_path / "a" / "b" / "logs" / "run.log").write_text("words")
    claim.undo()
    assert everything(tmp_path) == before


def test_undo_gives_an_earlier_run_its_config_back(tmp_path: Path) -> None:
    output_folder.claim(tmp_path, "name: one\n")
    (tmp_path / "result.json").write_text("{}")
    before = everything(tmp_path)
    output_folder.claim(tmp_path, "name: two\n").undo()
    assert everything(tmp_path) == before


def test_a_folder_with_other_files_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("words")
    (tmp_path / "config.yaml").write_text("of another program")
    before = everything(tmp_path)
    with pytest.raises(UserError, match="holds files that are not a run of evenhand"):
        output_folder.claim(tmp_path, "name: one\n")
    assert everything(tmp_path) == before


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("words")
    with pytest.raises(UserError, match="is a file"):
        output_folder.claim(tmp_path / "out", "name: one\n")


@pytest.mark.parametrize("output", ["/proc/no/run", "/dev/null/run"])
def test_an_unwritable_place_is_refused(output: str) -> None:
    with pytest.raises(UserError, match=r"cannot be written \("):
        output_folder.claim(Path(output), "name: one\n")


def test_a_name_too_long_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        output_folder.claim(tmp_path / "a" / ("b" * 300) / "c", "name: one\n")
    with pytest.raises(UserError, match="cannot be written"):
        output_folder.claim(tmp_path / ("b" * 300), "name: one\n")
    assert not everything(tmp_path)


def test_two_processes_do_not_work_in_one_folder(tmp_path: Path) -> None:
    output_folder.claim(tmp_path, "name: one\n")
    code = (
        "import sys; from pathlib import Path; from evenhand.pipeline import output_folder\n"
        "with output_folder.locked(Path(sys.argv[1])): print('locked')"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with output_folder.locked(tmp_path):
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "another run is at work in this folder" in refused.stderr
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "locked\n"
