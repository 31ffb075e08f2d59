"""Packed strings come back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.data.packed_strings import PackedStrings


@given(st.lists(st.one_of(st.text(), st.binary().map(lambda name: name.decode("utf-8", "surrogateescape")))))
def test_strings_come_back(strings):
    strings = [s for s in strings if not any("\ud800" <= c <= "\udfff" and not "\udc80" <= c <= "\udcff" for c in s)]
    packed = PackedStrings(strings)
    assert [packed[index] for index in range(len(packed))] == strings


def test_beyond_the_end():
    with pytest.raises(IndexError):
        PackedStrings(["a"])[1]
