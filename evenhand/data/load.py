"""Opens the configured source and keeps the classes that take part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evenhand import registry
from evenhand.config import Classes, Data
from evenhand.data import pose
from evenhand.data.image_set import ImageSet
from evenhand.errors import UserError, did_you_mean


def open_images(config: Data) -> ImageSet:
    """Opens a source; no pixels are read yet.

    Args:
      config: the `data` section.

    Returns:
      The images of the classes that take part: merged, then included or excluded, then the small ones dropped.

    Raises:
      UserError: if the source cannot be read, cannot tell the groups that are asked for, a class name is unknown,
        fewer than two classes are left, or key points are asked for and what finding them needs is missing.
    """
    if config.keypoints is not None:
        pose.check(config.keypoints)
    source: ImageSet = registry.load("data.sources", config.source).open_source(config)
    if config.group is not None and source.groups is None:
        # Going on without them would let one person's images stand on both sides of a split.
        raise UserError("data.group", f"the source {config.source} tells no groups apart", "set it to null")
    images = select_classes(source, config.classes)
    if len(images.class_names) < 2:
        found = ", ".join(images.class_names) or "none"
        raise UserError(
            config.path or config.source,
            f"at least two classes with {config.classes.minimum} images or more are needed, found: {found}",
            "add images or loosen data.classes",
        )
    return images


def select_classes(images: ImageSet, classes: Classes) -> ImageSet:
    """The images whose classes take part, with labels counted anew from 0.

    Args:
      images: all images of a source.
      classes: which classes to merge, include and exclude, and the fewest images a class may have.

    Raises:
      UserError: if a class is named that does not exist, or is merged twice.
    """
    names, relabel = _merge(images.class_names, classes.merge or {})
    labels = relabel[images.labels]
    counts = np.bincount(labels, minlength=len(names))
    order, left_out = [], []
    for label in _included(names, classes):
        if counts[label] >= classes.minimum:
            order.append(label)
        else:
            left_out.append((names[label], f"class left out: {counts[label]} images, fewer than data.classes.minimum"))
    return replace(_keep(images, names, labels, order), left_out=tuple(left_out))


def _merge(names: tuple[str, ...], merge: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The class names after merging, and old label -> new label; a merged class stands where its first member stood."""
    new_name: dict[str, str] = {}
    for target, members in merge.items():
        _check_known(members, names, "data.classes.merge")
        for member in members:
            if new_name.setdefault(member, target) != target:
                raise UserError("data.classes.merge", f"class {member!r} stands twice", "merge it into one class only")
    renamed = [new_name.get(name, name) for name in names]
    merged = tuple(dict.fromkeys(renamed))
    return merged, np.asarray([merged.index(name) for name in renamed], np.int32)


def _included(names: tuple[str, ...], classes: Classes) -> list[int]:
    """Labels of the classes to keep, in their new order."""
    for field in ("include", "exclude"):
        _check_known(getattr(classes, field) or (), names, f"data.classes.{field}")
    wanted = names if classes.include is None else tuple(dict.fromkeys(classes.include))
    return [names.index(name) for name in wanted if name not in (classes.exclude or ())]


def _check_known(wanted: Iterable[str], names: Sequence[str], field: str) -> None:
    for name in wanted:
        if name not in names:
            hint = did_you_mean(name, names, f"the classes are {', '.join(names)}")
            raise UserError(field, f"there is no class {name!r}", hint)


def _keep(images: ImageSet, names: Sequence[str], labels: NDArray[np.int32], order: list[int]) -> ImageSet:
    """The images of the classes in `order`, which become 0, 1, …"""
    if order == list(range(len(images.class_names))) and np.array_equal(labels, images.labels):
        return replace(images, class_names=tuple(names))
    relabel = np.full(len(names), -1, np.int32)
    relabel[order] = np.arange(len(order))
    labels = relabel[labels]
    rows = np.flatnonzero(labels >= 0)
    return replace(
        images,
        class_names=tuple(names[label] for label in order),
        labels=labels[rows],
        splits=images.splits[rows],
        identify=lambda index: images.identify(int(rows[index])),
        read=lambda index: images.read(int(rows[index])),
        groups=None if images.groups is None else images.groups[rows],
        synthetic=None if images.synthetic is None else images.synthetic[rows],
    )
