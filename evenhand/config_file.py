"""Reads a config: a YAML file or a recipe, with `--set` on top, and says in one sentence what is wrong with it."""

from __future__ import annotations

import os
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from evenhand.config import RunConfig
from evenhand.errors import UserError, did_you_mean, plain_words

RECIPES = Path(__file__).parent / "recipes"


class _Loader(yaml.SafeLoader):
    """YAML without duplicate keys, of which the last would win silently, and with dates as the texts that they are."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def recipes() -> dict[str, str]:
    """Name -> first comment line of every recipe that comes with evenhand."""
    return {
        path.stem: path.read_text("utf-8").partition("\n")[0].lstrip("# ").rstrip()
        for path in sorted(RECIPES.glob("*.yaml"))
    }


def recipe_text(name: str) -> str:
    """The YAML of a recipe, with its comments.

    Raises:
      UserError: if there is no such recipe.
    """
    if name not in recipes():
        raise UserError(name, "is not a recipe", _hint(name, list(recipes())))
    return (RECIPES / f"{name}.yaml").read_text("utf-8")


def load(source: str | None = None, assignments: Sequence[str] = ()) -> RunConfig:
    """The validated config of a run.

    Args:
      source: a YAML file, the name of a recipe, or None for the defaults (the demo).
      assignments: `a.b=c` each: the YAML value c replaces what stands at a.b as a whole.

    Raises:
      UserError: if the file cannot be read or a value is refused; it names the file and the field.
    """
    return resolve({} if source is None else _read(source), assignments, source)


def resolve(values: dict[str, Any], assignments: Sequence[str] = (), source: str | None = None) -> RunConfig:
    """Validates `values` with `assignments` on top; `source` is named in errors."""
    for assignment in assignments:
        values = _assign(values, assignment)
    return _validate(values, source)


def dump(config: RunConfig) -> str:
    """The resolved config as YAML, every default spelled out; `load` reads it back to an equal config."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)


def _read(source: str) -> dict[str, Any]:
    path = Path(source)
    if os.path.isfile(path):
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(source, f"cannot be read ({error})", "give a YAML file in UTF-8") from error
    elif path.suffix in (".yaml", ".yml") or "/" in source:
        raise UserError(source, "there is no such config file", "check the path")
    elif source in recipes():
        text = recipe_text(source)
    else:
        raise UserError(source, "is neither a config file nor a recipe", _hint(source, list(recipes())))
    values = _parse(text, source)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(source, "must hold keys and values, such as `name: digits`", "see docs/configuration.md")
    return values


def _parse(text: str, where: str) -> Any:
    try:
        return _at_home(yaml.load(text, _Loader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "unreadable text"
        raise UserError(where, f"is not YAML{line} ({problem})", "mend it there") from error


def _at_home(value: Any) -> Any:
    """The value with `~/` in texts as the home folder, which no shell has put there."""
    if isinstance(value, dict):
        return {key: _at_home(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_at_home(item) for item in value]
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~/") else value


def _assign(values: dict[str, Any], assignment: str) -> dict[str, Any]:
    path, equals, text = assignment.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise UserError(f"--set {assignment}", "must look like a.b=c", "write for example --set training.steps=300")
    parent = ".".join(keys[:-1])
    # A section inside a section starts from what stands there, also by default: so data.profile.ratio=0.5 is enough.
    inherited = _standing(values, keys[:-1]) if len(keys) > 2 else {}
    return _replaced(values, keys, _parse(text, f"--set {path}"), inherited, parent)


def _standing(values: Mapping[str, Any], keys: Sequence[str]) -> Any:
    try:
        standing: Any = RunConfig.model_validate(values).model_dump(mode="json")
    except (ValidationError, UserError):
        return {}
    for key in keys:
        standing = standing.get(key) if isinstance(standing, dict) else None
    return standing or {}


def _replaced(values: Any, keys: Sequence[str], value: Any, inherited: Any, parent: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise UserError(f"--set {parent}", "stands on a value, not on a section", "replace that value as a whole")
    if len(keys) == 1:
        return {**values, keys[0]: value}
    below = values.get(keys[0])
    if below is None:
        below = inherited if len(keys) == 2 else {}
    return {**values, keys[0]: _replaced(below, keys[1:], value, inherited, parent)}


def _validate(values: dict[str, Any], source: str | None) -> RunConfig:
    try:
        return RunConfig.model_validate(values)
    except ValidationError as errors:
        error, *others = errors.errors(include_url=False)
        location = _keys_of(error["loc"])
        where = " in ".join(part for part in (".".join(map(str, location)), source) if part) or "the config"
        # A field of several types has an error for each of them.
        same = [other["msg"] for other in others if _keys_of(other["loc"]) == location]
        raise _sentence(where, location, error["type"], [error["msg"], *same], error["input"]) from errors
    except UserError as error:
        if source is None:
            raise
        raise UserError(f"{error.where} in {source}", error.problem, error.remedy) from error


def _sentence(where: str, location: tuple[int | str, ...], kind: str, messages: Sequence[str], given: Any) -> UserError:
    if kind == "extra_forbidden":
        known = sorted(_keys_beside(location))
        return UserError(where, "is an unknown key", _hint(str(location[-1]), known))
    if kind == "value_error":
        return UserError(where, plain_words(messages[0]), "change the config accordingly")
    if kind == "missing":
        return UserError(where, "is missing", "add it")
    if kind.startswith("union_tag"):
        return UserError(where, "needs a kind", "write kind: geometric or kind: counts into it")
    problem = " or ".join(dict.fromkeys(map(plain_words, messages)))
    return UserError(where, f"{problem}, not {given!r}", "see docs/configuration.md")


def _keys_of(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A location without the tags that pydantic puts after a field of several types."""
    models: list[type[BaseModel]] = [RunConfig]
    keys: list[int | str] = []
    follows_union = False
    for part in location:
        if follows_union and isinstance(part, str):
            follows_union = False
            continue
        keys.append(part)
        follows_union = any(len(list(_members(one))) > 1 for one in _annotations(models, str(part)))
        models = _models_below(models, str(part))
    return tuple(keys)


def _members(annotation: Any) -> Iterator[Any]:
    """The types that a field may have, None aside."""
    if typing.get_origin(annotation) is typing.Annotated:
        yield from _members(typing.get_args(annotation)[0])
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _members(member)
    elif annotation is not type(None):
        yield annotation


def _keys_beside(location: tuple[int | str, ...]) -> Iterator[str]:
    """The keys that may stand where the last part of `location` stands."""
    models: list[type[BaseModel]] = [RunConfig]
    for part in location[:-1]:
        models = _models_below(models, str(part))
    for model in models:
        for name, field in model.model_fields.items():
            yield field.alias or name


def _models_below(models: list[type[BaseModel]], key: str) -> list[type[BaseModel]]:
    """The sections under a key; where it is an index, or names no section, those that it stands in."""
    return [inner for annotation in _annotations(models, key) for inner in _models_in(annotation)] or models


def _annotations(models: list[type[BaseModel]], key: str) -> Iterator[Any]:
    for model in models:
        for name, field in model.model_fields.items():
            if key in (name, field.alias):
                yield field.annotation


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_in(part)


def _hint(name: str, known: Sequence[str]) -> str:
    return did_you_mean(name, known, f"use one of {', '.join(known)}")
