"""Classes are merged, included, excluded and dropped, and images keep their ids through all of it."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.config import Classes, Data
from evenhand.data.image_set import ImageSet
from evenhand.data.load import open_images, select_classes
from evenhand.errors import UserError


def image_set() -> ImageSet:
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3], np.int32)
    return ImageSet(
        class_names=("cat", "dog", "fox", "yak"),
        labels=labels,
        splits=np.arange(10, dtype=np.uint8) % 4,
        identify=lambda index: f"image {index}",
        read=lambda index: np.full((2, 2), index, np.uint8),
        groups=np.arange(10, dtype=np.int32) * 7,
    )


def selected(**settings) -> ImageSet:
    return select_classes(image_set(), Classes(**{"minimum": 1, **settings}))


def members(images: ImageSet) -> dict[str, list[int]]:
    """Class name -> the numbers its images carry in their pixels."""
    found: dict[str, list[int]] = {name: [] for name in images.class_names}
    for row, label in enumerate(images.labels):
        number = int(images.read(row)[0, 0])
        assert images.identify(row) == f"image {number}"
        assert images.groups[row] == 7 * number and images.splits[row] == number % 4
        found[images.class_names[label]].append(number)
    return found


def test_all_classes_take_part_by_default():
    assert members(selected()) == {"cat": [0, 1, 2], "dog": [3, 4], "fox": [5, 6, 7, 8], "yak": [9]}


def test_small_classes_are_dropped_and_said_so():
    images = selected(minimum=3)
    assert images.class_names == ("cat", "fox")
    assert images.left_out == (
        ("dog", "class left out: 2 images, fewer than data.classes.minimum"),
        ("yak", "class left out: 1 images, fewer than data.classes.minimum"),
    )


def test_include_orders_and_exclude_drops():
    assert members(selected(include=("fox", "cat"))) == {"fox": [5, 6, 7, 8], "cat": [0, 1, 2]}
    assert selected(exclude=("cat", "yak")).class_names == ("dog", "fox")


def test_merged_classes_stand_where_the_first_stood():
    images = selected(merge={"canine": ("dog", "fox")})
    assert members(images) == {"cat": [0, 1, 2], "canine": [3, 4, 5, 6, 7, 8], "yak": [9]}


def test_merging_comes_before_excluding_and_the_minimum():
    assert selected(merge={"wild": ("fox", "yak")}, exclude=("cat",), minimum=2).class_names == ("dog", "wild")


def test_merging_into_an_existing_class_joins_it():
    assert members(selected(merge={"cat": ("dog",)}))["cat"] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"include": ("cat", "dgo")}, "data.classes.include: there is no class 'dgo'; did you mean 'dog'"),
        (
            {"exclude": ("zebra",)},
            "data.classes.exclude: there is no class 'zebra'; the classes are cat, dog, fox, yak",
        ),
        ({"merge": {"pet": ("cow",)}}, "data.classes.merge: there is no class 'cow'"),
        ({"merge": {"a": ("cat",), "b": ("cat",)}}, "data.classes.merge: class 'cat' stands twice"),
    ],
)
def test_unknown_classes_are_named(settings, words):
    with pytest.raises(UserError, match=words):
        selected(**settings)


def test_one_class_only_is_refused():
    with pytest.raises(UserError, match="digits: at least two classes .* found: 3"):
        open_images(Data(classes=Classes(include=("3",))))


def test_groups_that_a_source_cannot_tell_are_refused_rather_than_ignored():
    with pytest.raises(UserError, match=r"data\.group: the source digits tells no groups apart"):
        open_images(Data(group="^(.)"))


def test_a_source_of_ones_own_is_a_dotted_path():
    images = open_images(Data(source="evenhand.data.sources.digits"))
    assert len(images) == 1797
