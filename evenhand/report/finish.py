"""Writes the files that people open: `result.json`, `report.html` and `report.md`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evenhand.report import copy_pairs, filter_pictures, samples
from evenhand.report import result as result_file
from evenhand.report.realism import realism_of
from evenhand.report.render import render_html, render_markdown
from evenhand.report.result import Result
from evenhand.report.search_part import SearchPart
from evenhand.report.verdict import verdict
from evenhand.whole_files import replace_text


def write_result(
    output: Path,
    evidence: Path,
    *,
    config: Mapping[str, Any],
    versions: Mapping[str, str],
    seconds: Mapping[str, float],
    processor_seconds: Mapping[str, float],
    search: SearchPart | None = None,
) -> Result:
    """Completes the result of the BalanceReport artifact and lays it, with its reports, into the output folder.

    Args:
      output: the output folder of the run.
      evidence: the artifact's folder, with `result.json`, `samples.parquet` and perhaps `copies.parquet` and
        `filtered.parquet`.
      config: the resolved config, whose `name` is the run's.
      versions: versions by package.
      seconds: time by stage.
      processor_seconds: of all cores together, by stage.
      search: what was tried before; None where nothing was searched.

    Returns:
      The completed result.
    """
    result = Result.load(evidence).completed(str(config["name"]), config, versions, seconds)
    result = result.model_copy(update={"processor_seconds": dict(processor_seconds), "search": search})
    # Only the whole config says how many copies were allowed.
    result = result.model_copy(update={"verdict": verdict(result)})
    replace_text(output / result_file.FILE_NAME, result.to_json())
    for name in (samples.FILE_NAME, copy_pairs.FILE_NAME, filter_pictures.FILE_NAME):
        if (evidence / name).exists():
            shutil.copyfile(evidence / name, output / name)
        else:
            (output / name).unlink(missing_ok=True)
    write_report(output)
    return Result.load(output)


def write_report(output: Path) -> Path:
    """Draws `report.html` and `report.md` of a finished run again from its result; needs no TensorFlow.

    Ratings of its images that are there by now are taken into the result first.

    Args:
      output: the output folder of a run, with `result.json` and, for the images, `samples.parquet`.

    Returns:
      The path of `report.html`.

    Raises:
      UserError: if there is no result, or a file of ratings cannot be read.
    """
    result = with_ratings(output)
    if result != Result.load(output):
        replace_text(output / result_file.FILE_NAME, result.to_json())
    page = output / "report.html"
    images = samples.read_samples(output / samples.FILE_NAME)
    pairs = copy_pairs.read_pairs(output / copy_pairs.FILE_NAME)
    replace_text(
        page, render_html(result, images, pairs, filter_pictures.read_pictures(output / filter_pictures.FILE_NAME))
    )
    replace_text(output / "report.md", render_markdown(result))
    return page


def with_ratings(output: Path) -> Result:
    """The result of a run, with what the ratings that are there by now say."""
    result = Result.load(output)
    return result.model_copy(update={"realism": realism_of(output, result)})
