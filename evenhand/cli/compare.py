"""`evenhand compare`: runs side by side."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli.options import Quiet, Verbose
from evenhand.errors import UserError


def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN RUN...", help="Output folders of runs; first the one that the others are compared with."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(help="Write the comparison there too, as .html or .md; must not exist yet.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Set runs side by side, and say what may be compared.

    Runs that were tested on the same images are compared image by image.
    """  # fmt: skip
    if output is not None:
        _check(output)
    from evenhand.cli.display import open_console
    from evenhand.report import render_comparison
    from evenhand.report.run_comparison import compare_runs
    from evenhand.whole_files import replace_text

    compared = compare_runs(folders)
    console = open_console(sys.stdout)
    if output is not None:
        is_page = output.suffix == ".html"
        draw = render_comparison.render_comparison_html if is_page else render_comparison.render_comparison_markdown
        try:
            replace_text(output, draw(compared))
        except OSError as error:
            raise UserError(str(output), f"cannot be written ({error.strerror})", "choose another place") from error
    if as_json:
        typer.echo(json.dumps(compared.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
        return
    render_comparison.render_comparison_terminal(compared, console)
    if output is not None and not quiet:
        console.print(f"comparison: {output}", markup=False)


def _check(output: Path) -> None:
    if output.suffix not in (".html", ".md"):
        raise UserError(f"--output {output}", "must end in .html or .md", "name such a file")
    if os.path.lexists(output):
        raise UserError(str(output), "exists already", "name a new file")
