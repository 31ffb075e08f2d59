"""Splits: their order, their sizes, and that nothing which belongs together is torn apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.config import CountsProfile, GeometricProfile, Splits
from evenhand.data.splits import TEST, TRAIN, VALIDATION, Labelled, split_images, take
from evenhand.errors import UserError

SHARES = Splits()


def labelled(counts, own=None, clusters=None, usable=None) -> Labelled:
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    size = len(labels)
    return Labelled(
        labels=labels,
        own=np.zeros(size, np.uint8) if own is None else np.asarray(own, np.uint8),
        clusters=np.arange(size) if clusters is None else np.asarray(clusters),
        usable=np.ones(size, bool) if usable is None else np.asarray(usable),
        class_names=[f"class {label}" for label in range(len(counts))],
    )


def counts_of(images: Labelled, split: np.ndarray, number: int) -> list[int]:
    return images.counts(split == number).tolist()


def test_test_first_then_profile_then_validation():
    images = labelled([400, 400, 400])
    split, withheld = split_images(images, SHARES, GeometricProfile(ratio=0.1, largest=100), seed=0)
    assert counts_of(images, split, TEST) == [100, 100, 100]
    assert counts_of(images, split, VALIDATION) == [10, 1, 0]
    assert counts_of(images, split, TRAIN) == [90, 9, 1]
    assert withheld == 0


def test_a_class_under_ten_images_gives_none_to_validation():
    images = labelled([12, 13, 20])
    split, _ = split_images(images, SHARES, None, seed=0)
    assert counts_of(images, split, TEST) == [3, 3, 5]
    assert counts_of(images, split, VALIDATION) == [0, 1, 2]


def test_two_images_give_one_to_the_test():
    images = labelled([2, 3])
    split, _ = split_images(images, SHARES, None, seed=0)
    assert counts_of(images, split, TEST) == [1, 1]


def test_the_same_seed_splits_alike_and_another_does_not():
    images = labelled([50, 50])
    first, again, other = (split_images(images, SHARES, None, seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_test_split_does_not_depend_on_the_profile():
    images = labelled([100, 100])
    plain, _ = split_images(images, SHARES, None, seed=1)
    thinned, _ = split_images(images, SHARES, CountsProfile(counts=(50, 5)), seed=1)
    np.testing.assert_array_equal(plain == TEST, thinned == TEST)


def test_the_sources_own_test_split_wins():
    own = np.array([TRAIN] * 30 + [TEST] * 10 + [TRAIN] * 30 + [TEST] * 10)
    images = labelled([40, 40], own=own)
    split, _ = split_images(images, SHARES, None, seed=0)
    np.testing.assert_array_equal(split == TEST, own == TEST)


def test_the_sources_own_validation_is_kept_and_thinned_with_the_rest():
    own = np.array(([TRAIN] * 60 + [VALIDATION] * 20 + [TEST] * 20) * 2)
    images = labelled([100, 100], own=own)
    split, _ = split_images(images, SHARES, None, seed=0)
    np.testing.assert_array_equal(split, own)
    split, _ = split_images(images, SHARES, CountsProfile(counts=(40, 6)), seed=0)
    assert counts_of(images, split, VALIDATION) == [10, 1]
    assert counts_of(images, split, TRAIN) == [30, 5]
    assert (own[split == VALIDATION] == VALIDATION).all()


def test_without_validation_its_own_images_are_not_used():
    own = np.array(([TRAIN] * 6 + [VALIDATION] * 2 + [TEST] * 2) * 2)
    images = labelled([10, 10], own=own)
    split, _ = split_images(images, Splits(validation=0), None, seed=0)
    assert counts_of(images, split, TRAIN) == [6, 6]
    assert counts_of(images, split, VALIDATION) == [0, 0]


def test_training_images_whose_copy_is_in_the_own_test_split_are_withheld():
    own = np.array([TRAIN] * 20 + [TEST] * 5 + [TRAIN] * 20 + [TEST] * 5)
    clusters = np.arange(50)
    clusters[20] = clusters[3] = 0  # images 0 and 3 are copies of test image 20
    images = labelled([25, 25], own=own, clusters=clusters)
    split, withheld = split_images(images, SHARES, None, seed=0)
    assert withheld == 2
    assert split[[0, 3, 20]].tolist() == [0, 0, TEST]


def test_unreadable_images_are_in_no_split():
    usable = np.arange(40) % 4 > 0
    images = labelled([20, 20], usable=usable)
    split, withheld = split_images(images, SHARES, None, seed=0)
    assert (split[~usable] == 0).all() and (split[usable] > 0).all()
    assert withheld == 0


def test_a_class_that_the_sources_own_test_lacks_is_not_sent_to_another_share():
    own = np.where(np.arange(40) < 5, 3, 1).astype(np.uint8)  # all five are of the first class
    with pytest.raises(UserError, match="'class 1' .* add some to the source's own test images"):
        split_images(labelled([20, 20], own=own), SHARES, None, seed=0)


@pytest.mark.parametrize(
    "images, shares, words",
    [
        (labelled([20, 1]), SHARES, "class 'class 1' .1 readable image. has no image left for the test"),
        (labelled([20, 20]), Splits(test=0), "classes 'class 0', 'class 1' have no image left for the test"),
        (labelled([20, 3], clusters=[*range(20), 20, 20, 20]), SHARES, "class 'class 1' .* for the test"),
        (labelled([20, 5], own=[TRAIN] * 15 + [TEST] * 10), SHARES, "class 'class 1' .* left for training"),
        (
            labelled([20, 2], usable=[True] * 20 + [False] * 2),
            SHARES,
            "class 'class 1' .0 readable images. has no image",
        ),
    ],
)
def test_a_class_without_images_is_refused(images, shares, words):
    with pytest.raises(UserError, match=words):
        split_images(images, shares, None, seed=0)


@settings(max_examples=60)
@given(st.data())
def test_nothing_that_belongs_together_is_torn_apart(data):
    counts = data.draw(st.lists(st.integers(12, 60), min_size=2, max_size=4))
    size = sum(counts)
    clusters = data.draw(st.lists(st.integers(0, size - 1), min_size=size, max_size=size))
    images = labelled(counts, clusters=clusters)
    try:
        split, _ = split_images(images, SHARES, None, data.draw(st.integers(0, 5)))
    except UserError:
        return
    for cluster in np.unique(images.clusters):
        assert len(np.unique(split[images.clusters == cluster])) == 1


@settings(max_examples=60)
@given(st.data())
def test_profile_counts_are_training_and_validation_together(data):
    available = data.draw(st.lists(st.integers(20, 80), min_size=2, max_size=5))
    wanted = [data.draw(st.integers(1, n * 3 // 4 - 1)) for n in available]
    images = labelled(available)
    split, _ = split_images(images, SHARES, CountsProfile(counts=tuple(wanted)), seed=0)
    kept = images.counts((split == TRAIN) | (split == VALIDATION))
    assert kept.tolist() == wanted


def test_people_with_one_image_of_each_class_fill_the_test_to_its_share():
    # 160 people, each shown in all 10 classes, as in the sign language digits.
    labels = np.tile(np.arange(10), 160)
    taken = take(labels, np.repeat(np.arange(160), 10), np.ones(1600, bool), np.full(10, 40), np.random.default_rng(0))
    assert np.bincount(labels[taken]).tolist() == [40] * 10


def test_copies_gather_on_neither_side():
    # 200 pairs of copies and 600 single images: a quarter of each kind belongs in the test.
    clusters = np.concatenate([np.repeat(np.arange(200), 2), np.arange(200, 800)])
    labels = np.zeros(1000, np.int32)
    taken = take(labels, clusters, np.ones(1000, bool), np.array([250]), np.random.default_rng(0))
    assert taken.sum() == 250
    assert 70 <= taken[:400].sum() <= 130


def test_a_class_of_few_large_groups_still_gets_a_test_split():
    labels = np.array([0] * 40 + [1] * 20)
    clusters = np.concatenate([np.arange(40), np.repeat([100, 101], 10)])
    taken = take(labels, clusters, np.ones(60, bool), np.array([10, 5]), np.random.default_rng(0))
    assert np.bincount(labels[taken]).tolist() == [10, 10]
