"""The 21 key points of a hand: where they come from, and what they are.

Wrist first, then the thumb and the four fingers with four joints each, from the palm outwards: OpenPose and MediaPipe
agree on that order. A key point is (x, y, confidence) with x and y as shares of the image's width and height, so that
no resize changes it. It stays where the hand is in its image: a left hand is not mirrored, since its image is not
either.
"""

from __future__ import annotations

import importlib.util
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Keypoints
from evenhand.errors import UserError

NUM_KEYPOINTS = 21
WRIST, MIDDLE_KNUCKLE = 0, 9

BONES = tuple(
    (0 if joint == 0 else 4 * finger + joint, 4 * finger + joint + 1) for finger in range(5) for joint in range(4)
)
"""The 20 pairs of joints that a bone connects, five chains from the wrist outwards."""

MIN_CONFIDENCE = 0.1
"""A key point of less confidence counts as not found."""

FindHand = Callable[[str, NDArray[np.uint8]], NDArray[np.float32]]
"""(id of an image, its pixels uint8[h, w, 1 | 3] at its own size) -> float32[21, 3], all 0 where there is no hand."""


def no_hand() -> NDArray[np.float32]:
    """What stands for an image in which no hand is found."""
    return np.zeros((NUM_KEYPOINTS, 3), np.float32)


def has_hand(keypoints: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether any key point counts as found, bool[...] for float32[..., 21, 3]."""
    return np.asarray((keypoints[..., 2] >= MIN_CONFIDENCE).any(axis=-1))


def check(config: Keypoints) -> None:
    """Looks for what finding key points needs, without loading it.

    Raises:
      UserError: if a file, a folder or the package is missing, or the file is no hand landmarker.
    """
    if config.openpose is not None:
        if not os.path.isdir(config.openpose):
            raise UserError("data.keypoints.openpose", f"there is no folder {config.openpose}", "correct the path")
        return
    model = str(config.model)
    if not os.path.isfile(model):
        raise UserError(
            "data.keypoints.model", f"there is no file {model}", "download MediaPipe's hand_landmarker.task"
        )
    if not _is_hand_landmarker(model):
        raise UserError(
            "data.keypoints.model", f"{model} is no hand landmarker of MediaPipe", "download hand_landmarker.task"
        )
    if importlib.util.find_spec("mediapipe") is None:
        raise UserError(
            "data.keypoints.model",
            "needs the package mediapipe, which is not installed",
            "install evenhand with its extra `pose`, or give data.keypoints.openpose",
        )


def check_images(config: Keypoints, image_ids: Iterable[str]) -> None:
    """Looks for key points that no single image can claim, without reading them.

    Args:
      config: where they come from.
      image_ids: of all images that take part.

    Raises:
      UserError: if a file of OpenPose's would serve two images.
    """
    if config.openpose is not None:
        from evenhand.data.openpose import OpenPoseFolder

        OpenPoseFolder(config.openpose).check(image_ids)


def _is_hand_landmarker(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as bundle:
            return "hand_landmarks_detector.tflite" in bundle.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def files(config: Keypoints) -> list[tuple[str, str]]:
    """(name, path) of everything that the key points depend on besides the images.

    Raises:
      UserError: as `check`.
    """
    check(config)
    if config.model is not None:
        return [("hand landmarker", config.model)]
    from evenhand.data.openpose import list_files

    return sorted(list_files(str(config.openpose)).items())


@contextmanager
def open_finder(config: Keypoints) -> Iterator[FindHand]:
    """Loads the model, or lists the folder, and closes it again.

    Raises:
      UserError: as `check`.
    """
    check(config)
    if config.model is not None:
        from evenhand.data.hand_landmarker import HandLandmarker

        with closing(HandLandmarker(config.model)) as landmarker:
            yield landmarker
    else:
        from evenhand.data.openpose import OpenPoseFolder

        yield OpenPoseFolder(str(config.openpose))
