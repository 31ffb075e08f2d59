"""A unit, one arm with one seed: trained and judged by the calls that the pipeline's components make."""

from __future__ import annotations

import datetime
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import commit, machine
from benchmarks.strategy_study.images import SeedImages
from benchmarks.strategy_study.records import Record
from evenhand.data.image_table import ImageTable
from evenhand.models import serving
from evenhand.models.arms import Arm, phase_steps
from evenhand.models.classical import fit_classical
from evenhand.models.processor_time import ProcessorTime
from evenhand.models.train_classifier import ClassifierRun, train_classifier


def run_unit(arm: Arm, images: SeedImages, folder: Path) -> tuple[Record, NDArray[np.int64], NDArray[np.int64]]:
    """Trains an arm and predicts the test images.

    A unit that was interrupted goes on from its phase's last checkpoint.

    Args:
      arm: what is trained.
      images: of the seed.
      folder: keeps the unit's state until it has ended.

    Returns:
      Its record, and twice int64[n], the predicted classes by true class and id: as the model gives them, and after
      logit adjustment.
    """
    protocol, seed = images.protocol, images.seed
    test, order = images.real["test"], images.test_order
    generation = images.generation() if arm.uses_synthetic else None
    state = folder / f"{arm.name}-seed{seed}-{protocol.identity(arm, seed)}"
    started = time.monotonic()
    with ProcessorTime() as processor:
        probabilities, seconds, steps, device = _trained(arm, images, state)
    predictions = probabilities.argmax(axis=1)[order]
    adjusted = (probabilities / images.real["train"].class_counts).argmax(axis=1)[order]
    labels, num_classes = test.labels[order], len(test.class_names)
    shutil.rmtree(state, ignore_errors=True)
    record = Record(
        identity=protocol.identity(arm, seed),
        arm=arm.name,
        seed=seed,
        test_digest=images.test_digest,
        support=np.bincount(labels, minlength=num_classes).tolist(),
        right=np.bincount(labels[predictions == labels], minlength=num_classes).tolist(),
        train_counts=images.real["train"].class_counts.tolist(),
        steps=steps,
        processor_seconds=round(processor.of(max(seconds, time.monotonic() - started)), 1),
        generator_processor_seconds=None if generation is None else round(generation["processor_seconds"], 1),
        seconds=round(max(seconds, time.monotonic() - started), 1),
        device=device,
        machine=machine(),
        date=datetime.date.today().isoformat(),
        commit=commit(),
        settings=protocol.model_dump(mode="json"),
    )
    return record, predictions, adjusted


def _trained(arm: Arm, images: SeedImages, state: Path) -> tuple[NDArray[np.float32], float, int, dict[str, Any]]:
    """float32[n, c] of the test images in their table's order, seconds of training, gradient steps and device."""
    test = images.real["test"]
    run, seconds, steps = _train_phases(arm, images, state)
    device = {} if run is None else run.device
    if arm.classical is None:
        assert run is not None, "an arm without phases is a classical one"
        return run.predict(test), seconds, steps, device
    network = None
    if run is not None:
        network = state / "network"
        serving.save_phase(run, network)
    predict = fit_classical(arm.classical, images.real["train"], seed=images.seed, network=network)
    return predict(test), seconds, steps, device


def _train_phases(arm: Arm, images: SeedImages, state: Path) -> tuple[ClassifierRun | None, float, int]:
    """The last phase's run, and seconds and gradient steps of all of them; None where there is no phase."""
    config = images.protocol.classifier_training(arm)
    run, base_model, seconds, steps = None, None, 0.0, 0
    if not arm.phases:
        return run, seconds, steps
    for index, (phase, share) in enumerate(
        zip(arm.phases, phase_steps(arm.phases, config.training.steps), strict=True)
    ):
        learned: ImageTable = images.synthetic if phase.on == "synthetic" else images.real["train"]
        part = f", phase {index + 1} of {len(arm.phases)}" if len(arm.phases) > 1 else ""
        run = train_classifier(
            learned,
            phase,
            config,
            steps=share,
            seed=images.seed,
            task=f"{arm.name}, seed {images.seed}{part}",
            synthetic=images.synthetic if phase.on == "both" else None,
            base_model=base_model,
            state_dir=state / f"phase-{index + 1}",
        )
        seconds += run.seconds
        steps += run.steps
        if index < len(arm.phases) - 1:
            base_model = state / f"model-{index + 1}"
            serving.save_phase(run, base_model)
    return run, seconds, steps
