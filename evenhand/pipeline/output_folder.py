"""The output folder of a run: taken only when it is empty or a run of ours, and given back when nothing came of it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evenhand.data.fingerprint import STATE_VARIABLE
from evenhand.errors import UserError
from evenhand.whole_files import replace_text

MARKER = ".evenhand-run"
"""Name of the file that makes a folder a run of ours; processes that work in the folder lock it."""

CONFIG = "config.yaml"


@dataclass
class Claim:
    """A claimed output folder and what it takes to undo the claim.

    Attributes:
      folder: the output folder.
      made: the folders that the claim made, outermost first; empty when the output folder existed.
      is_new: whether there was no run in it before.
      previous_config: text of config.yaml of the run that was there before, or None.
      has_results: whether a stage of the new run has finished, so that undoing the claim would lose its work.
    """

    folder: Path
    made: tuple[Path, ...]
    is_new: bool
    previous_config: str | None
    has_results: bool = False

    @property
    def state(self) -> Path:
        """Keeps what a later run goes on from: checkpoints, decoded images, content hashes."""
        return self.folder / "state"

    def undo(self) -> None:
        """Leaves the disk as it was before the claim; call it only while no stage of a new run has finished."""
        if not self.is_new:
            if self.previous_config is not None:
                replace_text(self.folder / CONFIG, self.previous_config)
            return
        if self.made:
            shutil.rmtree(self.made[0], ignore_errors=True)
            return
        for entry in self.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()


def is_run(folder: Path) -> bool:
    """Whether `folder` is an output folder that evenhand made."""
    # Path.is_file would raise where a name is too long for the file system.
    return os.path.isfile(folder / MARKER)


def check(output: Path) -> None:
    """Raises `UserError` unless `output` does not exist, is an empty folder or is a run of ours."""
    try:
        if not os.path.lexists(output):
            return
        if not output.is_dir():
            raise UserError(str(output), "is a file, but a run needs a folder", "name another folder with --output")
        if not is_run(output) and any(output.iterdir()):
            raise UserError(
                str(output),
                "holds files that are not a run of evenhand",
                "name a new folder or an empty one with --output",
            )
    except OSError as error:
        raise _unwritable(output, error) from error


def claim(output: Path, config_yaml: str) -> Claim:
    """Makes `output` the folder of a run, or goes on with the run that it already is.

    Args:
      output: the output folder; folders above it are made too.
      config_yaml: text of config.yaml, the resolved config.

    Returns:
      The claim, to undo it when the run turns out to be impossible.

    Raises:
      UserError: if the folder cannot be written or holds files that are not a run of ours; nothing is left behind.
    """
    check(output)
    made = tuple(reversed([path for path in (output, *output.parents) if not os.path.exists(path)]))
    is_new = not is_run(output)
    previous = output / CONFIG
    claimed = Claim(output, made, is_new, None if is_new or not previous.is_file() else previous.read_text("utf-8"))
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / MARKER).touch()
        replace_text(output / CONFIG, config_yaml)
    except OSError as error:
        claimed.undo()
        raise _unwritable(output, error) from error
    return claimed


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keeps a second process out of a claimed folder while the context is open.

    Raises:
      UserError: if another process is at work in it.
    """
    with open(output / MARKER, "w", encoding="utf-8") as marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                str(output), "another run is at work in this folder", "wait for it or name another folder with --output"
            ) from error
        yield


@contextmanager
def occupied(output: Path, config_yaml: str) -> Iterator[Claim]:
    """Claims `output` and keeps other processes out of it while the context is open.

    Wrong input that shows before any stage has finished leaves the disk as it was. What finds its state folder by the
    environment, since no parameter of a node may name it (it would be part of the cache's key), finds the claim's.

    Args:
      output: the output folder.
      config_yaml: text of config.yaml, the resolved config.

    Raises:
      UserError: as `claim` and `locked` do.
    """
    claimed = claim(output.resolve(), config_yaml)
    try:
        with locked(claimed.folder), _state_in(claimed.state):
            yield claimed
    except UserError:
        if not claimed.has_results:
            claimed.undo()
        raise


@contextmanager
def _state_in(folder: Path) -> Iterator[None]:
    before = os.environ.get(STATE_VARIABLE)
    os.environ[STATE_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[STATE_VARIABLE]
        else:
            os.environ[STATE_VARIABLE] = before


def _unwritable(output: Path, error: OSError) -> UserError:
    return UserError(
        str(output), f"cannot be written ({error.strerror})", "name a folder that you may write with --output"
    )
