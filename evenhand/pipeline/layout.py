"""The output folder: where the runner lays what people look for, and where the commands find it again."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from evenhand.errors import UserError
from evenhand.pipeline.stages import StageOutcome
from evenhand.whole_files import replace_text

INDEX = "artifacts.json"
PUSHED = "pushed_destination"
MODEL_FILE = "model.keras"


def write_index(output: Path, outcomes: Sequence[StageOutcome]) -> None:
    """Remembers where the artifacts of the newest run lie, relative to `output`, so that the folder can be moved."""
    index: dict[str, str] = {}
    for outcome in outcomes:
        for key, uri in outcome.outputs.items():
            index[f"{outcome.name}/{key}"] = os.path.relpath(uri, output)
        for key, properties in outcome.properties.items():
            if PUSHED in properties:
                newest = keep_newest(Path(properties[PUSHED]))
                index[f"{outcome.name}/{key}/{PUSHED}"] = os.path.relpath(newest, output)
    replace_text(output / INDEX, json.dumps(index, indent=1, sort_keys=True))


def keep_newest(pushed: Path) -> Path:
    """Makes a pushed model the highest version beside the others, as model servers take the highest.

    A Pusher that is served from the cache pushed long ago, perhaps before another config pushed its model.

    Returns:
      The folder of the highest version, which holds this model.
    """
    highest = max(pushed.parent.iterdir(), key=lambda version: int(version.name) if version.name.isdigit() else -1)
    if filecmp.cmp(highest / MODEL_FILE, pushed / MODEL_FILE, shallow=False):
        return highest
    fresh = pushed.parent / str(max(int(time.time()), int(highest.name) + 1))
    replace_folder(fresh, {part.name: part for part in pushed.iterdir()})
    return fresh


def replace_folder(target: Path, parts: dict[str, Path]) -> None:
    """Makes `target` hold a copy of each part under its name, and nothing else.

    Args:
      target: folder to replace.
      parts: name below `target` -> file or folder to copy.
    """
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, part in parts.items():
        if part.is_dir():
            shutil.copytree(part, fresh / name)
        else:
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(part, fresh / name)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


class RunFolder:
    """A finished run, as the commands `generate`, `export`, `predict` and `report` see it.

    Args:
      path: the run's output folder.

    Raises:
      UserError: if the folder holds no finished run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        index = path / INDEX
        if not index.is_file():
            raise UserError(str(path), "holds no finished run of evenhand", "give the folder that `evenhand run` wrote")
        try:
            self._index: dict[str, str] = dict(json.loads(index.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(str(index), "is damaged", "run the same config again, which writes it anew") from error

    def _folder(self, key: str, what: str, remedy: str = "choose a strategy that makes one and run again") -> Path:
        if key not in self._index:
            raise UserError(str(self.path), f"this run made no {what}", remedy)
        folder = self.path / self._index[key]
        if not folder.exists():
            raise UserError(str(folder), f"the {what} is gone", "run the same config again")
        return folder

    @property
    def examples(self) -> Path:
        """The real images: an Examples artifact."""
        return self._folder("ImbalancedExampleGen/examples", "examples")

    @property
    def synthetic(self) -> Path:
        """The synthetic images that strategies learned from, after any filters: an Examples artifact."""
        filtered = "SyntheticFilter/synthetic"
        return self._folder(
            filtered if filtered in self._index else "SyntheticExampleGen/synthetic", "synthetic images"
        )

    @property
    def generator(self) -> Path:
        """The Generator artifact."""
        return self._folder("GeneratorTrainer/generator", "generator")

    @property
    def baseline(self) -> Path:
        """The baseline's model, which saw real images alone: a folder with `model.keras` and `model.json`."""
        folder = self._folder("Trainer-baseline-1/model", "baseline", "add baseline to its strategies and run again")
        return folder / "Format-Serving"

    @property
    def model(self) -> Path:
        """The pushed model: a folder with SavedModel, `model.keras` and `model.json`."""
        remedy = "its model missed evaluation.minimum: lower that or train better, and run again"
        return self._folder(f"Pusher/pushed_model/{PUSHED}", "pushed model", remedy)
