"""What all sections of the config have in common: frozen, validated, strict about their keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from evenhand import registry
from evenhand.errors import UserError, did_you_mean, plain_words

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
_Options = TypeVar("_Options", bound=BaseModel)


class Section(BaseModel):
    """A frozen part of the config that refuses unknown keys, and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def canonical_json(self) -> str:
        """The section as JSON with sorted keys: equal sections give equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


class Choice(Section):
    """An entry of the registry and its options; in YAML a bare name will do.

    Attributes:
      name: the entry's; a subclass says of which kind (`registered`).
      options: the entry's own `Options`.
    """

    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


def check_effect(options: Section, names: Iterable[str], where: str, remedy: str) -> None:
    """Refuses options that change nothing; a default may be written out, as a resolved config does.

    Args:
      options: with the other options already in place, so that a validator of all of them can call it.
      names: options that have no effect beside the others.
      where: in which case they have none, e.g. `with by: inverse`.
      remedy: what makes them have one.

    Raises:
      UserError: naming the first of them that is not its default.
    """
    for name in names:
        value = getattr(options, name)
        if value != type(options).model_fields[name].get_default():
            raise UserError(name, f"{value} has no effect {where}", f"{remedy}, or leave {name} out")


def registered(kind: str, field: str) -> AfterValidator:
    """Lets a name pass that is in the registry, or is a dotted path: `name: Annotated[str, registered(kind, field)]`.

    Args:
      kind: one of `registry.KINDS`.
      field: the config's field, which the `UserError` about any other name begins with.
    """

    def known(name: str) -> str:
        registry.check(kind, name, field)
        return name

    return AfterValidator(known)


def digest(text: str) -> str:
    """A short, stable name for `text`: 16 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_options(
    model: type[_Options], options: Mapping[str, Any], where: str, *, elsewhere: Iterable[str] = ()
) -> _Options:
    """Validates the options of a generator, classifier, strategy or source against its own `Options`.

    Args:
      model: the entry's `Options`.
      options: what the config gives.
      where: the config's field, e.g. `generator.options`.
      elsewhere: options of other entries of the kind, which are no misspelt ones where this entry does not take them;
        looked at only where an option is unknown.

    Raises:
      UserError: naming the first option that is wrong, and for an unknown one the nearest that is known; if `model`, of
        a module of the user's own, is no `Section`.
    """
    if not (isinstance(model, type) and issubclass(model, Section)):
        raise UserError(
            where, "the module's Options are no class of options", "derive Options from evenhand.config.Section"
        )
    try:
        return model.model_validate(dict(options))
    except UserError as error:
        # An option that is an entry of the registry itself, such as a loss, knows its own name alone.
        if error.where.partition(".")[0] not in model.model_fields:
            raise
        raise UserError(f"{where}.{error.where}", error.problem, error.remedy) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        # What options forbid each other stands at no option.
        field = f"{where}.{name}" if name else where
        if first["type"] == "extra_forbidden":
            known = list(model.model_fields)
            taken = f"it takes {', '.join(known) or 'no options'}"
            if name in elsewhere:
                raise UserError(field, "is an option of others, not of this one", taken) from error
            raise UserError(field, "there is no such option", did_you_mean(name, known, taken)) from error
        problem = plain_words(first["msg"])
        # A validator of ours says all there is to say; pydantic's own rules do not name what they were given.
        given = "" if first["type"] == "value_error" else f", not {first['input']!r}"
        raise UserError(field, problem + given, "correct it") from error
