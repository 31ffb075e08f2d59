"""Writes the files that people open: `result.json`, `report.html` and `report.md`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evenhand.report import result as result_file
from evenhand.report import samples
from evenhand.report.render import render_html, render_markdown
from evenhand.report.result import Result
from evenhand.whole_files import replace_text


def write_result(
    output: Path,
    evidence: Path,
    *,
    config: Mapping[str, Any],
    versions: Mapping[str, str],
    seconds: Mapping[str, float],
) -> Result:
    """Completes the result of the BalanceReport artifact and lays it, with its reports, into the output folder.

    Args:
      output: the output folder of the run.
      evidence: the artifact's folder, with `result.json` and `samples.parquet`.
      config: the resolved config, whose `name` is the run's.
      versions: versions by package.
      seconds: time by stage.

    Returns:
      The completed result.
    """
    result = Result.load(evidence).completed(str(config["name"]), config, versions, seconds)
    replace_text(output / result_file.FILE_NAME, result.to_json())
    if (evidence / samples.FILE_NAME).exists():
        shutil.copyfile(evidence / samples.FILE_NAME, output / samples.FILE_NAME)
    write_report(output)
    return result


def write_report(output: Path) -> Path:
    """Draws `report.html` and `report.md` of a finished run again from its result; needs no TensorFlow.

    Args:
      output: the output folder of a run, with `result.json` and, for the images, `samples.parquet`.

    Returns:
      The path of `report.html`.

    Raises:
      UserError: if there is no result.
    """
    result = Result.load(output)
    page = output / "report.html"
    replace_text(page, render_html(result, samples.read_samples(output / samples.FILE_NAME)))
    replace_text(output / "report.md", render_markdown(result))
    return page
