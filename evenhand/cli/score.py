"""`evenhand score`: how like real images synthetic ones are, for any two sources."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli.options import Quiet, Verbose
from evenhand.cli.session import session
from evenhand.cli.sources import data_section

if TYPE_CHECKING:
    from rich.console import Console

    from evenhand.evaluation.generative_scores import GenerativeScores, Scores

_SOURCE = "digits, a folder, .npz, .csv, a TFRecord pattern, or tfds:NAME"
_COLUMNS = {
    "fid": ("FID", "#.4g"),
    "kid": ("KID", "#.3g"),
    "inception_score": ("IS", ".3f"),
    "precision": ("prec.", ".3f"),
    "recall": ("recall", ".3f"),
    "density": ("dens.", ".3f"),
    "coverage": ("cover.", ".3f"),
}
"""Attribute of `Scores` -> heading and number format."""


def score(
    real: Annotated[str, typer.Argument(metavar="REAL", help=f"Real images: {_SOURCE}.")],
    synthetic: Annotated[str, typer.Argument(metavar="SYNTHETIC", help="Synthetic images, likewise.")],
    extractor: Annotated[
        str,
        typer.Option(
            metavar="NAME|PATH",
            help="cnn, inception, auto (inception where its weights are at hand, else cnn), or the path of a run, "
            "a model of evenhand, a .keras file, a SavedModel or InceptionV3's weights (.h5).",
        ),
    ] = "auto",
    image_size: Annotated[
        int | None, typer.Option(min=8, max=1024, help="px, of all images; the real images' median by default.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Seed of what is drawn, and of an extractor that is trained.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and no progress.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure how like real images synthetic ones are.

    That is: FID, KID, Inception Score, precision, recall, density and coverage, over all and per class.
    """
    sections = {text: data_section(text) for text in (real, synthetic)}
    chosen = _extractor(extractor)
    with session(None, quiet=quiet or as_json, verbose=verbose) as display:
        from evenhand.config import Data
        from evenhand.data.readable_images import open_readable

        sides = [open_readable(Data(**sections[text]), text) for text in (real, synthetic)]
        display.say(f"real images: {len(sides[0])} in {real}; synthetic images: {len(sides[1])} in {synthetic}")
        display.say("starting TensorFlow")
        from evenhand.evaluation.generative_scores import ScoreSettings
        from evenhand.models.score_images import score_images

        found = score_images(*sides, extractor=chosen, image_size=image_size, settings=ScoreSettings(seed=seed))
        display.stop()
        if as_json:
            text = json.dumps(found.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
            display.console.print(text, markup=False, soft_wrap=True)
        else:
            _print(found, display.console)


def _extractor(choice: str) -> str:
    """The choice as the library takes it: for a run, the folder of its baseline's model."""
    from evenhand.models.extractor_choice import chosen_extractor
    from evenhand.pipeline.layout import INDEX, RunFolder

    if (Path(choice) / INDEX).is_file():
        return str(RunFolder(Path(choice)).baseline)
    chosen_extractor(choice)  # says what is wrong with it before any image is read
    return choice


def _print(found: GenerativeScores, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(f"features   {found.num_features} of {found.extractor}", markup=False, soft_wrap=True)
    console.print(f"images     {found.images}", markup=False, soft_wrap=True)
    table = Table("class", box=None, padding=(0, 1, 0, 0))
    for column in ("real", "synth.", *(name for name, _ in _COLUMNS.values())):
        table.add_column(column, justify="right", no_wrap=True)
    for name, scores in found.per_class:
        table.add_row(Text(name), *_cells(scores))
    table.add_section()
    table.add_row("all", *_cells(found.overall))
    console.print(table)
    for warning in found.overall.warnings:
        console.print(f"- {warning}", markup=False, soft_wrap=True)


def _cells(scores: Scores) -> Iterator[str]:
    yield str(scores.num_real)
    yield str(scores.num_synthetic)
    for attribute, (_, style) in _COLUMNS.items():
        value = getattr(scores, attribute)
        yield "-" if value is None else format(value, style)
