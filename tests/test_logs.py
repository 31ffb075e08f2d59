"""Redirection keeps what libraries print, at any level, off the terminal and in the log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import ctypes, logging, os, subprocess, sys, warnings
from pathlib import Path
from evenhand.logs import redirected
print("before")
try:
    with redirected(Path(sys.argv[1])) as terminal:
        print("python out")
        print("python err", file=sys.stderr)
        os.write(1, b"raw out\\n")
        os.write(2, b"raw err\\n")
        ctypes.CDLL(None).printf(b"stdio out\\n")
        subprocess.run(["echo", "child out"])
        logging.getLogger("library").info("an event")
        logging.getLogger("library").debug("a detail")
        print("for the user", file=terminal.out)
        print("for the user too", file=terminal.err)
        if len(sys.argv) > 2:
            raise SystemExit(3)
except SystemExit:
    print("caught")
logging.getLogger("library").info("after")
print("after")
"""


def run(log: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Runs CODE in a process of its own, since it moves the process's descriptors."""
    return subprocess.run([sys.executable, "-c", CODE, str(log), *more], capture_output=True, text=True, check=True)


def test_everything_goes_to_the_log_but_what_is_for_the_user(tmp_path: Path) -> None:
    done = run(tmp_path / "logs" / "run.log")
    assert done.stdout == "before\nfor the user\nafter\n"
    assert done.stderr == "for the user too\n"
    log = (tmp_path / "logs" / "run.log").read_text()
    for line in ("python out", "python err", "raw out", "raw err", "stdio out", "child out", "INFO library: an event"):
        assert line in log
    assert "a detail" not in log
    assert "after" not in log


def test_descriptors_come_back_after_an_exception_and_logs_are_appended(tmp_path: Path) -> None:
    run(tmp_path / "run.log")
    assert run(tmp_path / "run.log", "fail").stdout == "before\nfor the user\ncaught\nafter\n"
    assert (tmp_path / "run.log").read_text().count("python out") == 2
