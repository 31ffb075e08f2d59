"""`evenhand report` and `evenhand recipes`: what a run found, and configs to start from."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli.options import Quiet, Run, Verbose
from evenhand.errors import UserError


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Print this recipe's YAML.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List the recipes, or print one."""
    from evenhand import config_file

    if name is not None:
        typer.echo(config_file.recipe_text(name), nl=False)
        return
    summaries = config_file.recipes()
    for recipe, summary in summaries.items():
        typer.echo(recipe if quiet else f"{recipe:<{max(map(len, summaries))}}  {summary}")


class Card(StrEnum):
    """Texts for a paper."""

    model = "model"
    data = "data"
    cite = "cite"


def report(
    folder: Run,
    card: Annotated[
        Card | None, typer.Option(help="Print the model card or the data card (Markdown), or what to cite (BibTeX).")
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw the report of a finished run again and print its per-class table, or print a text for a paper."""
    from evenhand.cli.display import open_console
    from evenhand.report.finish import write_report
    from evenhand.report.render import render_terminal
    from evenhand.report.result import Result

    if not (folder / "result.json").is_file():
        raise UserError(str(folder), "holds no result.json", "name the output folder of a run that has ended")
    if card is not None:
        _print_card(folder, card)
        return
    page = write_report(folder)
    console = open_console(sys.stdout)
    render_terminal(Result.load(folder), console)
    if not quiet:
        console.print(f"report: {page}", markup=False)


def _print_card(folder: Path, card: Card) -> None:
    from evenhand.report.citations import cite
    from evenhand.report.data_card import data_card
    from evenhand.report.finish import with_ratings
    from evenhand.report.model_card import model_card

    texts = {Card.model: model_card, Card.data: data_card, Card.cite: cite}
    typer.echo(texts[card](with_ratings(folder)), nl=False)
