"""The `beam` section: checked before anything runs, and as Beam's command-line arguments."""

from __future__ import annotations

import contextlib
import io

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import create_runner

from evenhand.config import Beam
from evenhand.errors import UserError, did_you_mean

_LOCAL_RUNNERS = {"DirectRunner", "BundleBasedDirectRunner", "FnApiRunner"}
_BRINGS_CODE = {"extra_packages", "extra_package", "setup_file", "requirements_file", "sdk_container_image"}


def beam_arguments(beam: Beam) -> list[str]:
    """The section as Beam's command-line arguments.

    Beam's own runner works on this machine, so nothing needs to be sent to workers. Told of a container, TFX believes
    that its code is there already; else each Beam node would copy and package all of TFX first, which takes seconds.

    `DirectRunner` would first fetch a binary, Prism, from the network and give it the work, and do it here only where
    that fails. We name the runner that it falls back to: no download, no waiting for one, the same on every machine.
    """
    runner = "FnApiRunner" if beam.runner == "DirectRunner" else beam.runner
    options = {"runner": runner, **beam.options}
    if beam.runner in _LOCAL_RUNNERS and not _BRINGS_CODE & options.keys():
        options["sdk_container_image"] = "none"
    return [f"--{name}={value}" for name, value in options.items()]


def check_beam(beam: Beam) -> None:
    """Looks for the runner, and has Beam read its options.

    Raises:
      UserError: if Beam has no such runner or refuses an option, or its own runner knows none of that name.
    """
    try:
        create_runner(beam.runner)
    except (ValueError, ImportError, AttributeError) as error:
        problem = str(error).strip().partition("\n")[0]
        raise UserError(
            "beam.runner", f"{beam.runner!r} cannot be used ({problem})", "use DirectRunner, or install what it needs"
        ) from error
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            known = PipelineOptions(beam_arguments(beam)).get_all_options()
    except SystemExit as error:
        problem = said.getvalue().strip().rpartition("error: ")[2]
        raise UserError("beam.options", f"is refused by Beam ({problem})", "see Beam's pipeline options") from error
    unknown = beam.options.keys() - known.keys()
    if beam.runner in _LOCAL_RUNNERS and unknown:
        name = min(unknown)
        raise UserError(
            f"beam.options.{name}",
            "is no option of Beam's",
            did_you_mean(name, sorted(known), "see Beam's pipeline options"),
        )
