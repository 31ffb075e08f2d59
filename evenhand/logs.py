"""Keeps the terminal for evenhand: what libraries print, also from C++, goes to a log file."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True)
class Terminal:
    """The streams that still reach the user while everything else is redirected.

    Attributes:
      out: what standard output was.
      err: what standard error was.
    """

    out: TextIO
    err: TextIO


def _text(descriptor: int) -> TextIO:
    return os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", buffering=1)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    # printf of C++ libraries buffers on its own once it writes to a file.
    ctypes.CDLL(None).fflush(None)


def _open(path: Path | None) -> int:
    if path is None:
        return os.open(os.devnull, os.O_WRONLY)
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


@contextmanager
def redirected(path: Path | None) -> Iterator[Terminal]:
    """Sends file descriptors 1 and 2 to the end of `path` while the context is open.

    Child processes inherit the redirection. Python's `logging` writes there too, from level INFO, with the time.

    Args:
      path: the log file; its folder is made. None throws the text away.

    Yields:
      The streams that reach the user.

    Raises:
      OSError: if `path` cannot be written.
    """
    target = _open(path)
    _flush()
    saved = os.dup(1), os.dup(2)
    terminal = Terminal(_text(saved[0]), _text(saved[1]))
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    print(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} evenhand {' '.join(sys.argv[1:])}", file=sys.stderr)
    try:
        yield terminal
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        _flush()
        terminal.out.flush()
        terminal.err.flush()
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        terminal.out.close()
        terminal.err.close()
