"""MediaPipe's hand landmarker, which takes the place of OpenPose's hand model.

Measured on 100 of the Sign Language Digits, 100x100 pixels, whose hands touch the border: as they are, a hand is found
in 88; within a frame that repeats the edge in all of them; upscaling alone finds none more. Shrunk to 32 pixels first,
the points lie 0.057 of the palm's length off those found at 100 pixels, and 0.045 where a cubic filter scales the image
up again.

MediaPipe looks at the images on this machine, and asks for play.googleapis.com to send figures about its use there, as
its privacy notice says; it has no switch for that.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evenhand.data.pose import NUM_KEYPOINTS, no_hand

_SMALLEST, _LARGEST = 256, 1024
"""The longer side in pixels that an image is scaled to have at least, and at most."""

_FRAMES = (0.5, 0.0)
"""Widths of the frames that are tried in turn, as shares of the longer side; without one a small hand is larger."""

_DETECTION_CONFIDENCE = 0.3


class HandLandmarker:
    """Finds the hand in an image.

    MediaPipe gives no confidence in a hand or in a key point of it. What stands for it, alike for all 21, is how sure
    it is that the hand is a left or a right one, at least 0.5: it says nothing of the pose but that there is one.

    Args:
      model: path of a `.task` file.
    """

    def __init__(self, model: str) -> None:
        # Slow to import, and only here when it is needed.
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        self._mediapipe = mediapipe
        self._landmarker = vision.HandLandmarker.create_from_options(
            vision.HandLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=model),
                num_hands=1,
                min_hand_detection_confidence=_DETECTION_CONFIDENCE,
                min_hand_presence_confidence=_DETECTION_CONFIDENCE,
            )
        )
        self._lock = threading.Lock()

    def __call__(self, image_id: str, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The key points of one image; see `pose.FindHand`."""
        scaled = _scaled(pixels)
        for frame in _FRAMES:
            border = round(frame * max(scaled.shape[:2]))
            found = self._detect(np.pad(scaled, ((border, border), (border, border), (0, 0)), mode="edge"))
            if found.hand_landmarks:
                return _keypoints(found, scaled.shape, border)
        return no_hand()

    def close(self) -> None:
        """Ends MediaPipe's threads; at the end of the process it would be too late."""
        self._landmarker.close()

    def _detect(self, pixels: NDArray[np.uint8]) -> Any:
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        with self._lock:
            return self._landmarker.detect(image)


def _scaled(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8[h, w, 3], neither tiny nor huge."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    side = max(image.size)
    factor = np.clip(side, _SMALLEST, _LARGEST) / side
    if factor != 1.0:
        size = (max(round(image.width * factor), 1), max(round(image.height * factor), 1))
        image = image.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image)


def _keypoints(found: Any, shape: tuple[int, ...], border: int) -> NDArray[np.float32]:
    """From shares of the framed image to shares of the image itself."""
    size = np.asarray([shape[1], shape[0]], float)
    points = np.asarray([[point.x, point.y] for point in found.hand_landmarks[0]])
    keypoints = np.full((NUM_KEYPOINTS, 3), found.handedness[0][0].score, np.float32)
    keypoints[:, :2] = (points * (size + 2 * border) - border) / size
    return keypoints
