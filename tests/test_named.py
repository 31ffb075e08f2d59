"""Names within a sentence."""

from __future__ import annotations

import pytest

from evenhand.named import listed


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("a", "a"),
        ("ab", "a and b"),
        ("abcdefgh", "a, b, c, d, e, f, g and h"),
        ("abcdefghij", "a, b, c, d, e, f, g, h and 2 more"),
    ],
)
def test_eight_names_are_given_and_the_others_counted(names: str, said: str) -> None:
    assert listed(list(names)) == said
