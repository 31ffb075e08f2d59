"""Equal pictures and equal groups join; chains of them join too."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from evenhand.data import clusters


def same(clustering: np.ndarray, expected: list[int]) -> bool:
    return (
        len(set(zip(clustering.tolist(), expected, strict=True))) == len(set(clustering.tolist())) == len(set(expected))
    )


def test_pictures_by_digest():
    digests = np.array([b"a" * 16, b"b" * 16, b"a" * 16, b"\0" * 16, b"\0" * 16], "V16")
    readable = np.array([True, True, True, False, False])
    pictures = clusters.picture_numbers(digests, readable)
    assert same(pictures, [0, 1, 0, 3, 4])
    assert clusters.count_duplicates(pictures, readable) == 1


def test_conflicting_labels_are_counted_on_both_sides():
    pictures, readable = np.array([0, 1, 0, 3]), np.ones(4, bool)
    assert clusters.count_conflicting(pictures, np.array([5, 5, 6, 6]), readable) == 2
    assert clusters.count_conflicting(pictures, np.array([5, 5, 5, 6]), readable) == 0


def test_a_chain_joins():
    # Images 0 and 1 are one picture, 1 and 2 one person, 2 and 3 one picture; 4 stands alone.
    assert same(clusters.join(np.array([0, 0, 1, 1, 2]), np.array([7, 8, 8, 9, 10])), [0, 0, 0, 0, 4])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_join_is_connected_components(pairs):
    pictures, groups = np.array(pairs, np.int32).T
    pictures = np.unique(pictures, return_inverse=True)[1].astype(np.int32)
    # Pictures are the nodes 0 to 9, groups 10 to 19; an image is an edge.
    graph = coo_array((np.ones(len(pairs)), (pictures, groups + 10)), shape=(20, 20))
    _, number = connected_components(graph, directed=False)
    assert same(clusters.join(pictures, groups), number[pictures].tolist())
