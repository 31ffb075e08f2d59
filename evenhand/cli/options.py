"""Options that several commands share, with one wording each."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Put the YAML value C at A.B of the config; repeatable."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print more progress, and the traceback of a defect.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Output folder of `evenhand run`.")]


class Format(StrEnum):
    """How images are written for others."""

    folder = "folder"
    npz = "npz"
    tfrecord = "tfrecord"
