"""Which extractor a user means: known before TensorFlow is loaded and before an image is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evenhand import registry
from evenhand.config import digest
from evenhand.errors import UserError
from evenhand.models.files_digest import files_digest
from evenhand.models.inception_weights import OPTION, cached_weights, known_weights

AUTO = "auto"
CNN, CLASSIFIER, INCEPTION = "cnn", "classifier", "inception"
KIND = "models.extractors"

_NEED_A_PATH = (CLASSIFIER, "saved_model")


def chosen_extractor(choice: str, where: str = OPTION) -> tuple[str, dict[str, Any]]:
    """Name and options of an extractor.

    Args:
      choice: `auto`, a name from `registry.names("models.extractors")`, a dotted path, or the path of a model: a model
        folder of evenhand, a `.keras` file, a SavedModel, or a weights file of InceptionV3 (`.h5`). `auto` is inception
        where its weights are at hand, else cnn.
      where: the option or field that holds the choice.

    Returns:
      An entry's name or a dotted path, and the options that go with it.

    Raises:
      UserError: if there is no such extractor or model.
    """
    if choice == AUTO:
        return (CNN if cached_weights() is None else INCEPTION), {}
    if choice in _NEED_A_PATH:
        raise UserError(f"{where} {choice}", "does not say which model", f"give its path: {where} PATH")
    path = Path(choice)
    if choice not in registry.names(KIND) and path.exists():
        if (path / "model.json").is_file():
            return CLASSIFIER, {"path": choice}
        return (INCEPTION, {"weights": choice}) if path.suffix == ".h5" else ("saved_model", {"path": choice})
    if "/" in choice or path.suffix in (".h5", ".keras"):
        raise UserError(choice, "there is no such model", f"check the path after {where}")
    registry.check(KIND, choice, where)
    return choice, {}


def fingerprint(choice: str, where: str) -> str:
    """A digest of what features depend on besides images and seed: the entry, a user's own code, and a model's files.

    Args:
      choice: as `chosen_extractor` takes it, or `classifier`, which in a run is the baseline's.
      where: the field that holds the choice.

    Raises:
      UserError: if there is no such extractor or model, or no weights for it.
    """
    if choice == CLASSIFIER:
        return CLASSIFIER
    name, options = chosen_extractor(choice, where)
    file = next((Path(path) for path in options.values()), None)
    if name == INCEPTION and file is None:
        file = known_weights(where)
    return digest(repr((name, registry.code_digest(KIND, name), file and files_digest(file))))
