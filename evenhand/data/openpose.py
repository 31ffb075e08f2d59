"""OpenPose's JSON files (`--write_json --hand`): one for each image, `<name of the image>_keypoints.json`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.data.pose import NUM_KEYPOINTS, has_hand, no_hand
from evenhand.errors import UserError

_ENDING = "_keypoints.json"
_HANDS = ("hand_right_keypoints_2d", "hand_left_keypoints_2d")
_MAX_BYTES = 2**24

_LOG = logging.getLogger(__name__)


def list_files(folder: str) -> dict[str, str]:
    """Path below `folder` without its ending, e.g. `rare/IMG_0042` -> path of the file."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(_ENDING):
                path = os.path.join(parent, name)
                relative = os.path.relpath(path, folder).replace(os.sep, "/")
                found[relative.removesuffix(_ENDING)] = path
    return found


class OpenPoseFolder:
    """Reads key points from a folder.

    Args:
      folder: with OpenPose's files, in folders like the images or all in one.
    """

    def __init__(self, folder: str) -> None:
        self._files = list_files(folder)

    def __call__(self, image_id: str, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The key points of one image; none where it has no file or a damaged one. See `pose.FindHand`."""
        path = self._find(image_id)
        if path is None:
            return no_hand()
        try:
            return parse(_read(path), width=pixels.shape[1], height=pixels.shape[0])
        except (OSError, ValueError, RecursionError) as error:
            _LOG.warning("%s is left out: %s", path, error)
            return no_hand()

    def check(self, image_ids: Iterable[str]) -> None:
        """Looks for files that would serve several images: whose hand is in there, nobody knows.

        Args:
          image_ids: of all images that take part.

        Raises:
          UserError: naming the first such file and two of its images.
        """
        owners: dict[str, str] = {}
        for image_id in image_ids:
            path = self._find(image_id)
            if path is not None and owners.setdefault(path, image_id) != image_id:
                raise UserError(
                    path,
                    f"belongs to one image, and both {owners[path]} and {image_id} would take it",
                    "put OpenPose's files into folders like those of the images",
                )

    def _find(self, image_id: str) -> str | None:
        """The file whose path agrees with the most of the image's, from its end."""
        parts = os.path.splitext(image_id)[0].split("/")
        names = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((self._files[name] for name in names if name in self._files), None)


def _read(path: str) -> bytes:
    if os.path.getsize(path) > _MAX_BYTES:
        raise ValueError(f"is larger than {_MAX_BYTES // 2**20} MiB")
    with open(path, "rb") as file:
        return file.read(_MAX_BYTES)


def parse(text: bytes | str, *, width: int, height: int) -> NDArray[np.float32]:
    """The hand with the highest mean confidence, of whichever person and side.

    Args:
      text: JSON with `people`, a list whose entries have `hand_left_keypoints_2d` and `hand_right_keypoints_2d`, each
        x, y and confidence of 21 key points in a row, x and y in pixels.
      width: of the image in pixels.
      height: of the image in pixels.

    Returns:
      float32[21, 3], x and y as shares of width and height; all 0 where no hand is found, and for a key point without
      confidence, which OpenPose puts into the corner.

    Raises:
      ValueError: if `text` is no such file.
    """
    content = json.loads(text)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise ValueError("has no list of people")
    hands = [_hand(person[key]) for person in people for key in _HANDS if person.get(key)]
    keypoints = max(hands, key=lambda hand: float(hand[:, 2].mean()), default=no_hand())
    if not has_hand(keypoints):
        return no_hand()
    keypoints[:, :2] /= (width, height)
    keypoints[keypoints[:, 2] <= 0] = 0
    return keypoints


def _hand(numbers: Any) -> NDArray[np.float32]:
    try:
        hand = np.asarray(numbers, np.float32)
    except (TypeError, OverflowError) as error:
        raise ValueError("has a hand that is no list of numbers") from error
    if hand.shape != (3 * NUM_KEYPOINTS,) or not np.isfinite(hand).all():
        raise ValueError(f"has a hand without {3 * NUM_KEYPOINTS} numbers")
    return hand.reshape(NUM_KEYPOINTS, 3)
