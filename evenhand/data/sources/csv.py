"""A CSV table with the columns image (a path) and label, and optionally split and group."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from evenhand.config import Data, Section, parse_options
from evenhand.data.decode import read_file
from evenhand.data.fingerprint import of_files
from evenhand.data.image_set import ImageSet
from evenhand.data.packed_strings import PackedStrings
from evenhand.data.sources._conventions import OWN_SPLITS, number, required_file
from evenhand.errors import UserError


class Options(Section):
    """A table has no options; `data.group` names the column of persons or patients, by default `group`."""


def open_source(config: Data) -> ImageSet:
    """Reads the table; paths in it are relative to its folder.

    Raises:
      UserError: if it is no such table.
    """
    parse_options(Options, config.options, "data.options")
    table = required_file(config)
    columns = _columns(table, config.group)
    with_groups = "group" in columns
    labels, groups, splits = [], [], []
    label_numbers: dict[str, int] = {}
    group_numbers: dict[str, int] = {}

    def walk() -> Iterator[str]:
        for line, row in _rows(table, columns):
            labels.append(label_numbers.setdefault(row["label"], len(label_numbers)))
            if with_groups:
                groups.append(group_numbers.setdefault(row["group"], len(group_numbers)))
            splits.append(_own_split(table, line, row.get("split", "")))
            yield row["image"]

    paths = PackedStrings(walk())
    if not len(paths):
        raise UserError(str(table), "has no rows", "give one row for each image")
    class_names, numbers = number(label_numbers)
    # Labels were numbered as they came; now by the order of the class names.
    order = np.asarray([numbers[name] for name in label_numbers], np.int32)
    return ImageSet(
        class_names=tuple(class_names),
        labels=order[np.asarray(labels, np.int32)],
        splits=np.asarray(splits, np.uint8),
        identify=lambda index: f"csv/{paths[index]}",
        read=lambda index: read_file(table.parent / paths[index]),
        groups=np.asarray(groups, np.int32) if with_groups else None,
    )


def _columns(table: Path, group: str | None) -> dict[str, int]:
    """Our name of each column there is -> its position."""
    header = next(_lines(table), None)
    names = [name.strip() for name in header[1]] if header else []
    wanted = {"image": "image", "label": "label", "split": "split", "group": group or "group"}
    found = {ours: names.index(theirs) for ours, theirs in wanted.items() if theirs in names}
    required = ("image", "label") if group is None else ("image", "label", "group")
    for ours in required:
        if ours not in found:
            remedy = (
                "name one that is there in data.group"
                if ours == "group"
                else "name the columns image and label in line 1"
            )
            raise UserError(str(table), f"has no column {wanted[ours]!r}", remedy)
    return found


def _rows(table: Path, columns: dict[str, int]) -> Iterator[tuple[int, dict[str, str]]]:
    lines = _lines(table)
    next(lines)
    for line, fields in lines:
        if not fields:
            continue
        if len(fields) <= max(columns.values()):
            raise UserError(f"{table}, line {line}", f"has {len(fields)} fields, fewer than the header", "complete it")
        row = {name: fields[position].strip() for name, position in columns.items()}
        for name in set(columns) - {"split"}:
            if not row[name]:
                raise UserError(f"{table}, line {line}", f"the {name} is empty", "fill it in")
        if "\0" in row["image"]:
            raise UserError(f"{table}, line {line}", "the image's path holds a null character", "correct it")
        yield line, row


def _lines(table: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for fields in reader:
                yield reader.line_num, fields
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(str(table), f"is no CSV file in UTF-8 ({error})", "check data.path") from error


def _own_split(table: Path, line: int, name: str) -> int:
    if name and name.lower() not in OWN_SPLITS:
        raise UserError(f"{table}, line {line}", f"unknown split {name!r}", "use train, validation, test or nothing")
    return OWN_SPLITS.get(name.lower(), 0)


def fingerprint(config: Data) -> str:
    """Digest over the table and the contents of the files it names; a missing file counts as such."""
    table = required_file(config)
    files: list[tuple[str, str | os.PathLike[str]]] = [("", table)]
    for _, row in _rows(table, {"image": _columns(table, None)["image"]}):
        path = table.parent / row["image"]
        files.append((row["image"], path if os.path.isfile(path) else os.devnull))
    return of_files(files)
