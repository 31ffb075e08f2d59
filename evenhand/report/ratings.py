"""The ratings of a human study, one file per rater beside the run's result."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from evenhand.errors import UserError, plain_words
from evenhand.report import samples
from evenhand.report.part import Count, Part
from evenhand.report.result import Result
from evenhand.whole_files import replace_text

FOLDER = "ratings"
"""Name of the folder within a run's output folder."""

_NAME = re.compile(r"[\w-][\w.-]{0,63}")


class Rating(Part):
    """How real one image looked to a rater."""

    image_id: str
    """Id of the image."""
    class_: str = Field(alias="class")
    """Name of its class."""
    source: Literal["real", "synthetic"]
    """Where it comes from, which the rater was not told."""
    rating: Annotated[int, Field(ge=1, le=5)]
    """From 1, not real at all, to 5, completely real."""


class RaterFile(Part):
    """One rater's ratings, as they stand in `ratings/<rater>.json`."""

    schema_version: Literal[1] = 1
    """Changes only when a reader of the file must change."""
    rater: str
    """Name of the rater."""
    study: str
    """Digest of what was rated: ratings count only while the run still has these images."""
    seed: Count
    """Chooses the images, the same for all raters, and the order in which a rater sees them."""
    ratings: tuple[Rating, ...] = ()
    """In the order in which they were given."""


def path_of(output: Path, rater: str) -> Path:
    """Where a rater's ratings are kept.

    Args:
      output: the output folder of a run.
      rater: the rater's name.

    Raises:
      UserError: if the name cannot be that of a file.
    """
    if not _NAME.fullmatch(rater):
        raise UserError(
            f"--rater {rater[:80]}", "is no name of 1 to 64 letters, digits, '-', '_' or '.'", "use a plain name"
        )
    return output / FOLDER / f"{rater}.json"


def study_of(output: Path) -> str:
    """Digest of the images that a run has for rating: its data, and the first synthetic image of each class.

    Raises:
      UserError: if the run has no result.
    """
    digest = hashlib.sha256(Result.load(output).data.fingerprint.encode())
    seen: set[str] = set()
    for sample in samples.read_samples(output / samples.FILE_NAME):
        if sample.source == "synthetic" and sample.class_name not in seen:
            seen.add(sample.class_name)
            digest.update(sample.image_id.encode() + b"\0" + sample.png)
    return digest.hexdigest()[:16]


def read(path: Path) -> RaterFile:
    """Reads one rater's ratings.

    Raises:
      UserError: if the file cannot be read or holds something else.
    """
    try:
        return RaterFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror})", "check who may read it") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"])
        problem = f"holds no ratings ({place + ': ' if place else ''}{plain_words(first['msg'])})"
        raise UserError(str(path), problem, "move it elsewhere, or restore it") from error


def read_all(output: Path) -> list[RaterFile]:
    """The ratings of every rater of a run, ordered by name; none where there was no study."""
    return [read(path) for path in sorted((output / FOLDER).glob("*.json")) if not path.name.startswith(".")]


def write(path: Path, ratings: RaterFile) -> None:
    """Writes one rater's ratings, so that the file is the old one or the new one whenever the process ends."""
    replace_text(path, ratings.model_dump_json(indent=1) + "\n")
