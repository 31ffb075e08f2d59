"""The command line: one file for each group of commands, nothing slow imported before a command runs."""

from __future__ import annotations

import os
import sys

import typer

from evenhand.cli import compare, images, rate, results, run, score
from evenhand.cli.session import Terminated
from evenhand.errors import EvenhandError, plain_words

app = typer.Typer(
    name="evenhand",
    help="From an imbalanced image set to a verdict per class: do synthetic images help?",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (run.run, images.inspect, results.recipes, images.generate, images.export, images.predict):
    app.command()(command)
app.command()(score.score)
app.command()(results.report)
app.command()(compare.compare)
app.command()(rate.rate)
app.command("compile")(run.compile_graph)


def _print_version(wanted: bool) -> None:
    if wanted:
        from evenhand import __version__

        typer.echo(f"evenhand {__version__}")
        raise typer.Exit


@app.callback()
def _evenhand(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """From an imbalanced image set to a verdict per class: do synthetic images help?"""


def _sentence(error: typer.TyperException) -> str:
    """What typer says of the arguments; it passes on pydantic's words of a wrong value."""
    if isinstance(error, typer.BadParameter):
        error.message = plain_words(error.message)
    words = error.format_message()
    return words if words.endswith("?") else words.rstrip(".") + "."


def main() -> None:
    """Runs the command line and exits with its code; whatever a user can cause is one sentence on standard error.

    The code is 143 after SIGTERM; typer makes it 130 after SIGINT.
    """
    # Where a user's own modules stand, named by dotted paths; last, so that they hide nothing.
    sys.path.append(os.getcwd())
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="evenhand", standalone_mode=False)
    except EvenhandError as error:
        typer.echo(f"evenhand: {error}", err=True)
        code = error.exit_code
    except typer.TyperException as error:
        typer.echo(f"evenhand: {_sentence(error)}", err=True)
        code = error.exit_code
    except Terminated:
        typer.echo("evenhand: interrupted.", err=True)
        code = 143
    sys.exit(code if isinstance(code, int) else 0)
