"""What is told of wrong input reads as a sentence, whichever library found it."""

from __future__ import annotations

import pytest
from pydantic import Field, field_validator, model_validator

from evenhand.config import Section, parse_options
from evenhand.errors import UserError, plain_words


class Options(Section):
    """Options with a rule of every kind."""

    share: float = Field(0.5, le=1.0)
    name: str = "a"

    @field_validator("name")
    @classmethod
    def _short(cls, value: str) -> str:
        if len(value) > 1:
            raise ValueError("a name is one letter")
        return value

    @model_validator(mode="after")
    def _together(self) -> Options:
        if self.share == 0 and self.name == "b":
            raise ValueError("b needs a share")
        return self


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Value error, RUN is no folder", "RUN is no folder"),
        ("Input should be a valid integer, unable to parse string as an integer", "should be a valid integer"),
        ("Input should be a valid tuple", "should be a list"),
        (
            "Tuple should have at least 1 item after validation, not 0",
            "list should have at least 1 item after validation, not 0",
        ),
        ("String should have at least 1 character", "string should have at least 1 character"),
        ("'x' is not one of 'a', 'b'", "'x' is not one of 'a', 'b'"),
        ("", ""),
    ],
)
def test_words_of_a_validator_become_part_of_a_sentence(message: str, words: str) -> None:
    assert plain_words(message) == words


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"share": float("-inf")}, "x.options.share: should be a finite number, not -inf; correct it."),
        ({"share": 1.5}, "x.options.share: should be less than or equal to 1, not 1.5; correct it."),
        ({"name": "ab"}, "x.options.name: a name is one letter; correct it."),
        ({"share": 0.0, "name": "b"}, "x.options: b needs a share; correct it."),
        ({"shar": 1}, "x.options.shar: there is no such option; did you mean 'share'."),
    ],
)
def test_a_wrong_option_is_named_without_the_validators_frame(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_options(Options, options, "x.options")
    assert str(raised.value) == sentence
