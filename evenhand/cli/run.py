"""`evenhand run` and `evenhand compile`: from a config to a finished run, or to a graph for a cluster."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli.options import Quiet, Set, Verbose
from evenhand.cli.session import Terminated, session
from evenhand.errors import GateFailed

if TYPE_CHECKING:
    from evenhand.cli.display import Display
    from evenhand.config import RunConfig
    from evenhand.pipeline.output_folder import Claim

LOG = Path("logs", "run.log")


class Runner(StrEnum):
    """What a graph is compiled for."""

    kubeflow = "kubeflow"


def run(
    config: Annotated[
        str | None, typer.Argument(metavar="[CONFIG|RECIPE]", help="A YAML file or a recipe; the demo by default.")
    ] = None,
    assignments: Set = None,
    output: Annotated[Path | None, typer.Option(help="Output folder; runs/<name> by default.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Validate, read the source, print the plan, stop.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Go from the images to the verdict.

    What is unchanged since the last run into the same folder is reused.
    """
    from evenhand import config_file

    resolved = config_file.load(config, assignments or [])
    folder = output or Path("runs", resolved.name)
    if dry_run:
        _print_plan(resolved, folder, verbose=verbose)
    else:
        _run(resolved, folder, quiet=quiet, verbose=verbose)


def _run(config: RunConfig, output: Path, *, quiet: bool, verbose: bool) -> None:
    from evenhand import config_file
    from evenhand.pipeline import output_folder

    try:
        with (
            output_folder.occupied(output, config_file.dump(config)) as claim,
            session(claim.folder / LOG, quiet=quiet, verbose=verbose) as display,
        ):
            _run_shown(config, claim, display)
    except (KeyboardInterrupt, Terminated) as stopped:
        typer.echo(
            f"evenhand: interrupted; finished stages are kept in {output}, and the same command goes on from there.",
            err=True,
        )
        raise typer.Exit(143 if isinstance(stopped, Terminated) else 130) from None


def _run_shown(config: RunConfig, claim: Claim, display: Display) -> None:
    from evenhand.data.fingerprint import fingerprint

    # The run checks both anyway; here a missing source is told at once, and a wrong model before TFX is loaded.
    fingerprint(config.data)
    display.say("starting TensorFlow and TFX")
    from evenhand.models.preflight import check_run

    check_run(config)
    from evenhand.pipeline.run import run_claimed
    from evenhand.report.render import render_terminal
    from evenhand.report.result import Result

    try:
        result = run_claimed(config, claim, display.stage)
    except GateFailed:
        # The results are complete all the same, and worth seeing before the sentence about the gate.
        display.stop()
        render_terminal(Result.load(claim.folder), display.console)
        raise
    display.stop()
    render_terminal(result, display.console)
    display.say(f"report: {claim.folder / 'report.html'}")


def _print_plan(config: RunConfig, output: Path, *, verbose: bool) -> None:
    from evenhand import config_file
    from evenhand.pipeline import output_folder

    output_folder.check(output.resolve())
    with session(None, quiet=False, verbose=verbose) as display:
        from evenhand.cli.tables import print_plan
        from evenhand.pipeline.plan import plan

        planned = plan(config)
        display.stop()
        display.console.print(config_file.dump(config), markup=False, soft_wrap=True)
        print_plan(planned, display.console)


def compile_graph(
    config: Annotated[str, typer.Argument(metavar="CONFIG|RECIPE", help="A YAML file or a recipe.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the compiled graph is written.")],
    runner: Annotated[Runner, typer.Option(help="What the graph is for.")] = Runner.kubeflow,
    root: Annotated[str, typer.Option(help="Bucket or mounted folder of the artifacts.")] = "/evenhand",
    image: Annotated[str, typer.Option(help="Container image with evenhand installed.")] = "evenhand:latest",
    assignments: Set = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compile the graph of a run for Kubeflow Pipelines."""
    from evenhand import config_file

    resolved = config_file.load(config, assignments or [])
    with session(None, quiet=quiet, verbose=verbose) as display:
        from evenhand.pipeline.kubeflow_runner import compile_pipeline

        compile_pipeline(resolved, output, pipeline_root=root, image=image)
        display.say(f"{output}: the graph of {resolved.name} for {runner.value}")
