"""`evenhand rate`: people say how real a run's images look, without knowing which are synthetic."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli.options import Quiet, Run, Verbose
from evenhand.cli.session import Terminated, session
from evenhand.errors import UserError

if TYPE_CHECKING:
    from evenhand.cli.display import Display
    from evenhand.pipeline.layout import RunFolder
    from evenhand.report.rating_deck import Card
    from evenhand.report.rating_study import Study
    from evenhand.report.ratings import RaterFile


def rate(
    folder: Run,
    rater: Annotated[str, typer.Option(metavar="NAME", help="Who rates; each rater has ratings of their own.")] = "me",
    per_class: Annotated[
        int | None,
        typer.Option(min=1, help="Real images of each class, and as many synthetic ones; by default about 200 in all."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Chooses the images and their order.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Rate how real images look, real and synthetic ones mixed, on a page that this command serves.

    The real ones are test images, which no generator has seen. Every rating is saved at once; the same command goes on
    where it stopped, and `evenhand report RUN` shows what was found.
    """
    from evenhand.pipeline.layout import RunFolder
    from evenhand.report.rating_study import opened

    run = RunFolder(folder)
    try:
        with session(None, quiet=quiet, verbose=verbose) as display, opened(folder, rater, seed) as known:
            _serve(run, known, per_class, port, browser, display)
    except (KeyboardInterrupt, Terminated) as stopped:
        raise typer.Exit(143 if isinstance(stopped, Terminated) else 130) from None


def _serve(run: RunFolder, known: RaterFile, per_class: int | None, port: int, browser: bool, display: Display) -> None:
    from evenhand.report.rating_server import HOST, RatingServer
    from evenhand.report.rating_study import Study
    from evenhand.report.ratings import path_of

    try:
        server = RatingServer(port)
    except OSError as error:
        raise UserError(
            f"--port {port}", f"cannot be served at {HOST} ({error.strerror})", "name another port, or none"
        ) from error
    with server:
        study = Study(_deck(run, known, per_class, display), known, path_of(run.path, known.rater))
        display.stop()
        if study.num_rated == study.total:
            _say(display, f"all {study.total} images are rated, in {study.path}; a larger --per-class adds more")
            return
        server.study = study
        _say(display, f"{study.total - study.num_rated} of {study.total} images to rate: {server.url}")
        _say(display, "Ctrl-C ends; every rating is saved at once.")
        if browser:
            _open(server.url)
        try:
            server.serve_forever(poll_interval=0.2)
        finally:
            study.finish()
            _say(display, _state(study, run.path))


def _deck(run: RunFolder, known: RaterFile, per_class: int | None, display: Display) -> list[Card]:
    synthetic_folder, real_folder = str(run.synthetic), str(run.examples)
    display.say("starting TensorFlow")
    from evenhand.data.image_tables import load_table
    from evenhand.report.rating_deck import deal, usual_per_class

    # Test images: a copy of a training image among the synthetic ones meets no twin here, and no class is too rare.
    real = load_table(real_folder, ["test"], cache=None)
    synthetic = load_table(synthetic_folder, ["train"], cache=None)
    wanted = per_class if per_class is not None else usual_per_class(len(real.class_names))
    deck = deal(real, synthetic, per_class=wanted, seed=known.seed, rater=known.rater)
    if not deck:
        raise UserError(
            str(run.path), "no class has both test images and synthetic images", "set data.splits.test and run again"
        )
    counts = {name: sum(card.class_name == name for card in deck) // 2 for name in real.class_names}
    short = [f"{name} ({count})" for name, count in counts.items() if count < wanted]
    if short:
        display.say(f"fewer than {wanted} test or synthetic images of {', '.join(short)}: as many of both")
    return deck


def _say(display: Display, line: str) -> None:
    display.console.print(line, markup=False, soft_wrap=True)


def _state(study: Study, run: Path) -> str:
    rated = f"{study.num_rated} of {study.total} images are rated"
    return f"{rated}, in {study.path}; `evenhand report {run}` shows what was found."


def _open(url: str) -> None:
    try:
        controller = webbrowser.get()
    except webbrowser.Error:
        return
    # A browser in the terminal would take the terminal over.
    if not isinstance(controller, webbrowser.GenericBrowser) or isinstance(controller, webbrowser.BackgroundBrowser):
        controller.open(url)
