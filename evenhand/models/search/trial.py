"""One trial of a search: an arm trained for some steps and judged on validation, kept on the disk."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Section, digest
from evenhand.data.image_table import ImageTable
from evenhand.errors import EvenhandError
from evenhand.models import outside_inputs, serving
from evenhand.models.arms import Arm, phase_steps
from evenhand.models.search.deadline import OutOfTime, deadline
from evenhand.models.search.halving import LATE, Trial
from evenhand.models.train_classifier import ClassifierTraining, train_classifier
from evenhand.models.training import classification
from evenhand.whole_files import replace_text

VERSION = "1"
"""Part of a trial's name on the disk, beside that of classifiers: raise it when trials should have another outcome."""

Correct = NDArray[np.bool_]


@dataclass(frozen=True)
class TrialImages:
    """What the trials of a search learn from and are judged on; the test split is not among it.

    Attributes:
      train: real training images.
      validation: real images that nothing is trained on.
      digest: of the images' origin, for the names of trials on the disk.
      synthetic: synthetic images, or None.
    """

    train: ImageTable
    validation: ImageTable
    digest: str
    synthetic: ImageTable | None = None


class TrialSettings(Section):
    """What all trials of a run have in common.

    Attributes:
      training: classifier, budget and device.
      seed: of initial weights, order and augmentation: the same for all.
      deterministic: bit-equal results on one machine.
    """

    training: ClassifierTraining
    seed: int
    deterministic: bool


class TrialRecord(Section):
    """A trial on the disk.

    Attributes:
      task: what it was, in words.
      seconds: it took.
      correct: a `1` for every validation image that was recognised, a `0` for the others; None where it did not end.
      failure: why it did not.
    """

    task: str
    seconds: float
    correct: str | None
    failure: str | None = None

    def trial(self) -> Trial[Correct]:
        """The record as the search reads it."""
        score = None if self.correct is None else np.frombuffer(self.correct.encode(), np.uint8) == ord("1")
        return Trial(self.seconds, score, self.failure)


def run_trial(
    arm: Arm, images: TrialImages, settings: TrialSettings, *, steps: int, seconds_left: float, state_dir: Path
) -> tuple[Trial[Correct], bool]:
    """Trains an arm and says which validation images it recognises; a trial that the disk knows is not trained again.

    Args:
      arm: phases and what it sets for itself.
      images: to learn from and to be judged on.
      settings: common to all trials.
      steps: gradient steps in all phases.
      seconds_left: after which it is stopped.
      state_dir: of all trials; a trial that was interrupted goes on from its last checkpoint there.

    Returns:
      The trial, and whether it was known.
    """
    task = f"{arm.name} for {steps} steps (search)"
    key = digest(_identity(arm, images, settings, steps))
    file = state_dir / f"{key}.json"
    if file.is_file():
        known = TrialRecord.model_validate_json(file.read_bytes())
        # One that was stopped before may end now that there is more time.
        if known.failure != LATE or known.seconds >= seconds_left - _CLOCK_SECONDS:
            return known.trial(), True
    state_dir.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    trained = 0.0
    correct, failure = None, None
    try:
        with deadline(seconds_left):
            found, trained = _train(arm, images, settings, steps, task, state_dir / key)
        correct = "".join("1" if right else "0" for right in found)
    except OutOfTime:
        failure = LATE
    except EvenhandError as error:
        failure = str(error).rstrip(".")
    seconds = min(max(time.monotonic() - started, trained), max(seconds_left, 0.0) if failure else float("inf"))
    record = TrialRecord(task=task, seconds=round(seconds, 3), correct=correct, failure=failure)
    replace_text(file, record.model_dump_json(indent=1))
    if failure != LATE:
        shutil.rmtree(state_dir / key, ignore_errors=True)
    return record.trial(), False


_CLOCK_SECONDS = 0.5


def _identity(arm: Arm, images: TrialImages, settings: TrialSettings, steps: int) -> str:
    """Everything that the outcome of a trial depends on."""
    training = _training(arm, settings).model_dump(mode="json")
    # What the run has in mind beyond this trial changes nothing about it.
    training["training"]["steps"] = steps
    return json.dumps(
        {
            "version": VERSION,
            "classifier_version": classification.VERSION,
            "outside": outside_inputs.of_classifier(
                settings.training.classifier, [phase.loss.name for phase in arm.phases]
            ),
            "phases": [phase.model_dump(mode="json") for phase in arm.phases],
            "training": training,
            "seed": settings.seed,
            "deterministic": settings.deterministic,
            "images": images.digest,
        },
        sort_keys=True,
    )


def _training(arm: Arm, settings: TrialSettings) -> ClassifierTraining:
    common = settings.training
    if arm.training is None:
        return common
    return common.model_copy(update={"training": arm.training.of(common.training)})


def _train(
    arm: Arm, images: TrialImages, settings: TrialSettings, steps: int, task: str, state_dir: Path
) -> tuple[Correct, float]:
    """Which validation images are recognised, and how long training took over all attempts."""
    training = _training(arm, settings)
    seconds, base_model = 0.0, None
    for index, (phase, share) in enumerate(zip(arm.phases, phase_steps(arm.phases, steps), strict=True)):
        stops_early = training.training.early_stopping is not None and phase.may_stop_early
        assert images.synthetic is not None or not phase.uses_synthetic, "whoever tries such an arm has images drawn"
        run = train_classifier(
            images.synthetic if phase.on == "synthetic" else images.train,  # type: ignore[arg-type]
            phase,
            training,
            steps=share,
            seed=settings.seed,
            task=task if len(arm.phases) == 1 else f"{task}, phase {index + 1} of {len(arm.phases)}",
            validation=images.validation if stops_early else None,
            synthetic=images.synthetic if phase.on == "both" else None,
            base_model=base_model,
            deterministic=settings.deterministic,
            state_dir=state_dir / f"phase-{index + 1}",
        )
        seconds += run.seconds
        if index < len(arm.phases) - 1:
            base_model = state_dir / f"model-{index + 1}"
            serving.save_phase(run, base_model)
    predicted = run.predict(images.validation).argmax(axis=1)
    return predicted == images.validation.labels, seconds
