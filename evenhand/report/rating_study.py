"""A rater at work: which images are rated, which comes next, and each answer on the disk before the next is shown."""

from __future__ import annotations

import fcntl
import hmac
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evenhand.errors import UserError
from evenhand.report import ratings as rating_files
from evenhand.report.rating_deck import Card
from evenhand.report.ratings import RaterFile, Rating


class Conflict(Exception):  # noqa: N818 - it names a state that the page resolves by loading again
    """What the page asked for does not fit the ratings as they stand; the message says why."""


@contextmanager
def opened(output: Path, rater: str, seed: int) -> Iterator[RaterFile]:
    """The ratings of one rater, whom no other process serves while the context is open.

    Args:
      output: the output folder of a run.
      rater: the rater's name.
      seed: of the study.

    Yields:
      What the rater has rated so far.

    Raises:
      UserError: if the folder cannot be written, the rater is being served already, or the ratings there are of other
        images.
    """
    path = rating_files.path_of(output, rater)
    study = rating_files.study_of(output)
    try:
        path.parent.mkdir(exist_ok=True)
        lock = open(path.with_name(f".{rater}.lock"), "w", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise UserError(
            str(path.parent), f"cannot be written ({error.strerror})", "give a run that you may write to"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                str(path), f"{rater} is rating already", "end that, or name another rater with --rater"
            ) from error
        known = rating_files.read(path) if path.exists() else RaterFile(rater=rater, study=study, seed=seed)
        if known.study != study:
            raise UserError(
                str(path), "is of other images, from before the run was made again", "move it away to begin anew"
            )
        if known.seed != seed:
            raise UserError(
                f"--seed {seed}", f"the ratings in {path} were begun with seed {known.seed}", f"use --seed {known.seed}"
            )
        yield known


class Study:
    """The images of one rater and the answers so far.

    Args:
      deck: the images, in the rater's order.
      known: what the rater has rated so far; ratings of images that are not in the deck are kept.
      path: where every answer is saved.
    """

    def __init__(self, deck: Sequence[Card], known: RaterFile, path: Path) -> None:
        self.path = path
        self._file = known
        self._lock = threading.Lock()
        secret = secrets.token_bytes(32)
        # A key tells nothing about the id behind it, and is another one in the next session.
        self._cards = {hmac.digest(secret, card.image_id.encode(), "sha256").hex()[:24]: card for card in deck}
        self._keys = {card.image_id: key for key, card in self._cards.items()}

    @property
    def total(self) -> int:
        """Images to rate."""
        return len(self._cards)

    @property
    def num_rated(self) -> int:
        """Images rated so far."""
        return len(self._rated())

    def _rated(self) -> list[str]:
        """Keys of the rated images, in the order of the ratings."""
        return [self._keys[r.image_id] for r in self._file.ratings if r.image_id in self._keys]

    def state(self) -> dict[str, Any]:
        """What the page is told: the images in the order shown, rated ones first, and how many of them are rated."""
        with self._lock:
            rated = self._rated()
        done = set(rated)
        pending = [key for key in self._cards if key not in done]
        images = [{"key": key, "class": self._cards[key].class_name} for key in (*rated, *pending)]
        return {"images": images, "rated": len(rated)}

    def png(self, key: str) -> bytes | None:
        """The image behind a key; None if there is none."""
        card = self._cards.get(key)
        return None if card is None else card.png

    def rate(self, key: str, rating: int) -> int:
        """Takes an answer and saves it.

        Returns:
          Images rated so far.

        Raises:
          Conflict: if the image is not in the study, or rated already.
        """
        with self._lock:
            if key not in self._cards:
                raise Conflict("there is no such image in this study")
            if key in self._rated():
                raise Conflict("this image is rated already")
            card = self._cards[key]
            given = Rating(image_id=card.image_id, class_=card.class_name, source=card.source, rating=rating)
            self._save((*self._file.ratings, given))
            return len(self._rated())

    def undo(self, key: str) -> int:
        """Takes the last answer back and saves that.

        Returns:
          Images rated so far.

        Raises:
          Conflict: if the image is not the one rated last.
        """
        with self._lock:
            rated = self._rated()
            if not rated or rated[-1] != key:
                raise Conflict("this is not the image that was rated last")
            image_id = self._cards[key].image_id
            self._save(tuple(r for r in self._file.ratings if r.image_id != image_id))
            return len(rated) - 1

    def _save(self, ratings: tuple[Rating, ...]) -> None:
        changed = self._file.model_copy(update={"ratings": ratings})
        rating_files.write(self.path, changed)
        self._file = changed

    def finish(self) -> None:
        """Waits until an answer that is being saved is saved, and takes no more."""
        self._lock.acquire()
