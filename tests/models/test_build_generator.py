"""A generator of the user's own that offers the wrong things is told, not traced back."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.config import Generator
from evenhand.errors import UserError
from evenhand.models.train_generator import train_generator
from tests.tables import noise

OPTIONS = "from evenhand.config import Section\nclass Options(Section):\n    a: int = 1\n"


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("my_dict", "Options = dict\ndef build(options, images, *, seed): ...\n", r"generator\.options: .*Section"),
        ("my_none", OPTIONS + "def build(options, images, *, seed): ...\n", "gives NoneType, no ConditionalGen"),
        ("my_network", OPTIONS + "def build(options, images, *, seed): return seed\n", "gives int, no"),
    ],
)
def test_a_module_that_offers_the_wrong_things(
    name: str, code: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{name}_package").mkdir()
    (tmp_path / f"{name}_package" / "generator.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=sentence):
        train_generator(noise((8, 8, 1), (2, 2)), Generator(name=f"{name}_package.generator", steps=1))
