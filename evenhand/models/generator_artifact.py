"""A trained generator on the disk: a SavedModel that draws images, and a description of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import ValidationError

from evenhand.config import Section
from evenhand.errors import UserError
from evenhand.models.drawing_functions import realness_function, uint8_pose_sampler, uint8_sampler
from evenhand.models.train_generator import GeneratorRun
from evenhand.models.training.checkpoint import to_array
from evenhand.models.training.monitor import Assessment

FILE_NAME = "generator.json"
SIGNATURE = "sample"
POSE_SIGNATURE = "sample_poses"
REALNESS_SIGNATURE = "realness"

_JUDGED_AT_ONCE = 256


class GeneratorCard(Section):
    """What is known of a saved generator, in `generator.json`.

    Attributes:
      name: of the generator, as in the config.
      options: its options.
      class_names: names of the classes; a label is an index into them.
      image_shape: height, width, channels.
      weights_sha256: digest of every weight that training changed.
      steps: training steps.
      seed: of the training.
      seconds: wall-clock time of the training.
      processor_seconds: of all cores likewise; None in cards that are older than this number.
      device: how the hardware was used.
      history: rows of logged means, each with its `step`.
      assessment: what was seen of it while it trained (see `monitor.Assessment`); None where it was not watched.
      available: how many images of each class there are to draw; None for any number.
    """

    name: str
    options: dict[str, Any]
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    weights_sha256: str
    steps: int
    seed: int
    seconds: float
    processor_seconds: float | None = None
    device: dict[str, Any] = {}
    history: tuple[dict[str, float], ...] = ()
    assessment: Assessment | None = None
    available: tuple[int, ...] | None = None

    @classmethod
    def read(cls, folder: str | Path) -> GeneratorCard:
        """Reads the description in `folder`.

        Raises:
          UserError: if `folder` holds no generator of ours, or its description is damaged.
        """
        path = f"{folder}/{FILE_NAME}"
        if not tf.io.gfile.exists(path):
            raise UserError(str(folder), f"holds no generator ({FILE_NAME} is missing)", "name the folder of a run")
        try:
            return cls.model_validate_json(tf.io.gfile.GFile(path, "rb").read())
        except ValidationError as error:
            raise UserError(path, "describes no generator of this version", "name the folder of a whole run") from error


class Sampler:
    """Draws images from a saved generator; see `load_sampler`.

    Attributes:
      card: what is known of the generator.
    """

    def __init__(self, folder: str, card: GeneratorCard) -> None:
        self.card = card
        self._loaded = tf.saved_model.load(folder)
        self._draw = self._loaded.signatures[SIGNATURE]

    @property
    def name(self) -> str:
        """Of the generator."""
        return self.card.name

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.card.class_names

    def __call__(self, labels: NDArray[np.int32], seeds: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Images, uint8[n, h, w, c]; each depends on its own label (int32[n]) and seed (int64[n]) alone.

        The last bit of a pixel may depend on n: `sample_generator` always draws whole blocks, and so avoids that.
        """
        images: NDArray[np.uint8] = self._draw(labels=tf.constant(labels, tf.int32), seed=tf.constant(seeds, tf.int64))[
            "images"
        ].numpy()
        return images

    def draw_poses(
        self, keypoints: NDArray[np.float32], labels: NDArray[np.int32], seeds: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        """Images of given poses, of any data set: uint8[n, h, w, c].

        Args:
          keypoints: float32[n, 21, 3], see `evenhand.data.pose`.
          labels: int32[n]; without effect where the generator was trained without labels.
          seeds: int64[n].

        Raises:
          ValueError: if the generator draws from no poses.
        """
        if POSE_SIGNATURE not in self._loaded.signatures:
            raise ValueError(f"{self.name} draws from no poses")
        images: NDArray[np.uint8] = self._loaded.signatures[POSE_SIGNATURE](
            keypoints=tf.constant(keypoints, tf.float32),
            labels=tf.constant(labels, tf.int32),
            seed=tf.constant(seeds, tf.int64),
        )["images"].numpy()
        return images

    def realness(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> NDArray[np.float32]:
        """How real images look to the network that the generator was trained against, higher for more real.

        Args:
          images: uint8[n, h, w, c].
          labels: int32[n], the classes that they are to be of.

        Returns:
          float32[n], comparable among images of one generator only.

        Raises:
          ValueError: if the generator has no such network.
        """
        if REALNESS_SIGNATURE not in self._loaded.signatures:
            raise ValueError(f"{self.name} judges no images")
        judge = self._loaded.signatures[REALNESS_SIGNATURE]
        parts = [np.zeros(0, np.float32)]
        for start in range(0, len(labels), _JUDGED_AT_ONCE):
            part = slice(start, start + _JUDGED_AT_ONCE)
            judged = judge(images=tf.constant(images[part]), labels=tf.constant(labels[part], tf.int32))
            parts.append(judged["realness"].numpy())
        return np.concatenate(parts)


def save_generator(
    run: GeneratorRun, folder: str | Path, *, class_names: tuple[str, ...], processor_seconds: float | None = None
) -> GeneratorCard:
    """Writes a SavedModel with the signature `sample`, and `generator.json` beside it.

    A model that draws poses gets a second signature, `sample_poses`, and one that judges images `realness`; one that
    says which of its weights another may start from (`transferable_weights`) has them listed.

    Args:
      run: from `train_generator`.
      folder: local or remote; what it holds is overwritten.
      class_names: names of the classes, in the order of the labels.
      processor_seconds: processor time of the training, all cores together; None where it was not measured.

    Returns:
      The description.
    """
    holder = tf.Module()
    holder.weights = [variable.value for variable in run.model.variables]
    holder.transferable = [variable.value for variable in getattr(run.model, "transferable_weights", ())]
    signatures = {SIGNATURE: uint8_sampler(run.model)}
    if hasattr(run.model, "sample_poses"):
        signatures[POSE_SIGNATURE] = uint8_pose_sampler(run.model)
    if hasattr(run.model, "realness"):
        signatures[REALNESS_SIGNATURE] = realness_function(run.model)
    tf.saved_model.save(holder, str(folder), signatures=signatures)
    card = GeneratorCard(
        name=run.name,
        options=run.options.model_dump(mode="json"),
        class_names=tuple(class_names),
        image_shape=run.model.image_shape,
        weights_sha256=weights_digest(run),
        steps=run.steps,
        seed=run.seed,
        seconds=run.seconds,
        processor_seconds=processor_seconds,
        device=run.device,
        history=run.history,
        assessment=run.assessment,
        available=run.model.available,
    )
    with tf.io.gfile.GFile(f"{folder}/{FILE_NAME}", "w") as file:
        file.write(card.model_dump_json(indent=1))
    return card


def load_sampler(folder: str | Path) -> Sampler:
    """Loads what `save_generator` wrote; no Python code of the generator is needed, nor run.

    Raises:
      UserError: if `folder` holds no generator of ours.
    """
    return Sampler(str(folder), GeneratorCard.read(folder))


def weights_digest(run: GeneratorRun) -> str:
    """SHA-256 over all weights of the model, hexadecimal: equal for equal trainings."""
    digest = hashlib.sha256()
    for variable in run.model.variables:
        digest.update(np.ascontiguousarray(to_array(variable)).tobytes())
    return digest.hexdigest()
