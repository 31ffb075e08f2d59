"""Finds generators, classifiers, strategies, sources and feature extractors by file name; there is no list to edit.

A kind is a package below `evenhand`; each public module in it is one entry, and its file name is the
name used in the config. A module may offer variants by a literal tuple `VARIANTS = ("b0", "b1")`: they are
then called `<file>-<variant>`, and the bare file name is no entry. User code is named by its dotted import path.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

from evenhand.errors import UserError, did_you_mean

# What a module of each kind offers; the kinds are packages below `evenhand`.
_OFFERS = {
    "data.sources": ("open_source", "fingerprint"),
    "models.generators": ("Options", "build"),
    "models.classifiers": ("Options", "build"),
    "models.strategies": ("Options", "phases"),
    "models.classifier_losses": ("Options", "terms"),
    "models.extractors": ("Options", "build"),
    "models.filters": ("Options", "keep"),
}
KINDS = tuple(_OFFERS)


def _folder(kind: str) -> Path:
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, not {kind!r}")
    return Path(__file__).parent.joinpath(*kind.split("."))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _variants(path: Path) -> tuple[str, ...]:
    for node in _tree(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "VARIANTS" for t in node.targets):
            return tuple(ast.literal_eval(node.value))
    return ()


@cache
def _entries(kind: str) -> dict[str, Path]:
    entries = {}
    for path in sorted(_folder(kind).glob("[!_]*.py")):
        variants = _variants(path)
        for name in [f"{path.stem}-{variant}" for variant in variants] or [path.stem]:
            entries[name] = path
    return entries


def names(kind: str) -> list[str]:
    """The names of a kind, sorted, without importing any of them.

    Args:
      kind: one of `KINDS`, e.g. `"models.generators"`.
    """
    return sorted(_entries(kind))


def summary(kind: str, name: str) -> str:
    """The first line of the entry's docstring, without importing it."""
    return (ast.get_docstring(_tree(_entries(kind)[name])) or "").partition("\n")[0]


def check(kind: str, name: str, field: str) -> None:
    """Raises `UserError`, naming `field`, unless `name` is an entry or looks like a dotted import path."""
    if name in _entries(kind) or ("." in name and name.replace(".", "").isidentifier()):
        return
    known = names(kind)
    raise UserError(field, f"unknown name {name!r}", did_you_mean(name, known, f"use one of {', '.join(known)}"))


def load(kind: str, name: str) -> ModuleType:
    """Imports the one module behind `name`; nothing else of its kind is imported.

    Args:
      kind: one of `KINDS`.
      name: an entry of `names(kind)`, or the dotted import path of a module of the user's own.

    Raises:
      UserError: if there is no such entry or module, or the user's own fails while it is imported.
    """
    entry = _entries(kind).get(name)
    if entry is not None:
        return importlib.import_module(f"evenhand.{kind}.{entry.stem}")
    check(kind, name, kind)
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise UserError(f"{kind} {name}", f"cannot be imported ({error})", "check the dotted path") from error
    except Exception as error:  # Whatever the user's own code may raise.
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{kind} {name}", f"fails while it is imported ({reason})", "correct the module") from error
    missing = [attribute for attribute in _OFFERS[kind] if not hasattr(module, attribute)]
    if missing:
        raise UserError(f"{kind} {name}", f"the module has no {' and no '.join(missing)}", "see CONTRIBUTING.md")
    return module


def code_digest(kind: str, name: str) -> str | None:
    """A digest of the user's own module behind a dotted path, so that a change of it counts as a change of the run.

    None for what comes with evenhand, whose nodes carry versions, and for a module that is no file.
    """
    if name in _entries(kind):
        return None
    path = getattr(load(kind, name), "__file__", None)
    return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def variant(kind: str, name: str) -> str | None:
    """The part of a built-in name after its file's name (`b0` of `efficientnetv2-b0`), or None."""
    entry = _entries(kind).get(name)
    return None if entry is None or name == entry.stem else name[len(entry.stem) + 1 :]
