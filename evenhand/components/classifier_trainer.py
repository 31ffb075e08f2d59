"""`run_fn` of TFX's standard Trainer: one phase of one strategy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evenhand.components.blend_trainer import SYNTHETIC
from evenhand.components.workspace import state_folder
from evenhand.config import Section, digest
from evenhand.data.image_tables import load_table
from evenhand.models import serving
from evenhand.models.phase import Phase
from evenhand.models.processor_time import ProcessorTime
from evenhand.models.train_classifier import ClassifierTraining, train_classifier
from evenhand.models.training import checkpoint
from evenhand.models.training.classification import VERSION
from evenhand.models.training_log import PhaseLog, TrainingLog


class Settings(Section):
    """What the node depends on; travels to `run_fn` in `custom_config`.

    Attributes:
      task: what progress calls it, e.g. `baseline` or `pretrain_finetune, phase 2 of 2`.
      training: classifier, budget and device.
      phase: what this Trainer does.
      steps: gradient steps of this phase.
      seed: of initial weights, order and augmentation.
      deterministic: bit-equal results on one machine.
      final: whether the strategy ends here, so that its model is served and evaluated.
      outside: a digest of the user's own code and of a weights file, so that the cache notices others; else None.
    """

    task: str
    training: ClassifierTraining
    phase: Phase
    steps: int
    seed: int
    deterministic: bool
    final: bool
    outside: str | None = None
    version: str = VERSION


def run_fn(fn_args: Any) -> None:
    """Trains on the `train` split of the examples and writes the model.

    Args:
      fn_args: TFX's `FnArgs`; `custom_config["settings"]` is the JSON of `Settings`, `base_model` the folder that
        the phase before wrote, and `custom_config["synthetic"]` that of the synthetic images where the phase trains
        on both.
    """
    settings = Settings.model_validate_json(fn_args.custom_config["settings"])
    # TFX hands over the file pattern `<examples>/Split-train/*`, not the artifact.
    examples = fn_args.train_files[0].rsplit("/", 2)[0]
    base_model = Path(fn_args.base_model) if fn_args.base_model else None
    cache = state_folder("tables")
    synthetic = fn_args.custom_config.get(SYNTHETIC)
    state_dir = state_folder(digest(settings.canonical_json() + examples + str(synthetic) + str(base_model)))
    stops_early = settings.training.training.early_stopping is not None and settings.phase.may_stop_early
    # Decoded before processor time is measured: the first Trainer of a run decodes for all, as they share the cache.
    images = load_table(examples, ["train"], cache=cache)
    blended = load_table(synthetic, ["train"], cache=cache) if synthetic is not None else None
    # Synthetic images have no validation split.
    validation = load_table(examples, ["validation"], cache=cache) if settings.phase.on != "synthetic" else None
    with ProcessorTime() as processor:
        run = train_classifier(
            images,
            settings.phase,
            settings.training,
            task=settings.task,
            validation=validation if stops_early else None,
            watched=validation,
            synthetic=blended,
            base_model=base_model,
            seed=settings.seed,
            deterministic=settings.deterministic,
            steps=settings.steps,
            state_dir=state_dir,
            log_dir=Path(fn_args.model_run_dir),
        )
    output = Path(fn_args.serving_model_dir)
    save = serving.export_classifier if settings.final else serving.save_phase
    save(run, output)
    finished = PhaseLog(
        phase=settings.phase,
        steps=run.steps,
        seconds=run.seconds,
        stopped_early=run.stopped_early,
        processor_seconds=processor.of(run.seconds),
        device=run.device,
    )
    TrainingLog.read(base_model).extended(finished, run.history).write(output)
    checkpoint.discard(state_dir)
