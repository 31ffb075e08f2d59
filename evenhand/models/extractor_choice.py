"""Which extractor a user means: known before TensorFlow is loaded and before an image is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evenhand import registry
from evenhand.errors import UserError

AUTO = "auto"
KIND = "models.extractors"
OPTION = "--extractor"

_NEED_A_PATH = ("classifier", "saved_model")


def chosen_extractor(choice: str) -> tuple[str, dict[str, Any]]:
    """Name and options of an extractor.

    Args:
      choice: `auto`, a name from `registry.names("models.extractors")`, a dotted path, or the path of a model: a model
        folder of evenhand, a `.keras` file, a SavedModel, or a weights file of InceptionV3 (`.h5`).

    Returns:
      An entry's name or a dotted path, and the options that go with it; `auto` stays as it is.

    Raises:
      UserError: if there is no such extractor or model.
    """
    if choice == AUTO:
        return AUTO, {}
    if choice in _NEED_A_PATH:
        raise UserError(f"{OPTION} {choice}", "does not say which model", f"give its path: {OPTION} PATH")
    path = Path(choice)
    if choice not in registry.names(KIND) and path.exists():
        if (path / "model.json").is_file():
            return "classifier", {"path": choice}
        return ("inception", {"weights": choice}) if path.suffix == ".h5" else ("saved_model", {"path": choice})
    if "/" in choice or path.suffix in (".h5", ".keras"):
        raise UserError(choice, "there is no such model", f"check the path after {OPTION}")
    registry.check(KIND, choice, OPTION)
    return choice, {}
