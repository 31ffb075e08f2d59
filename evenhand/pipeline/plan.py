"""What a run would do, how long and how much disk it would take: the answer of `--dry-run`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evenhand.config import RunConfig
from evenhand.data.prepare import Preparation, prepare
from evenhand.data.splits import check_validation
from evenhand.models import sample_generator
from evenhand.models.arms import BASELINE, Arm, phase_steps, plan_arms, repeat_suffix
from evenhand.models.preflight import check_run, what_needs_validation
from evenhand.models.search import ladder, tuned_fields
from evenhand.pipeline.beam import check_beam

# Seconds on 2 CPU cores without an accelerator (from the demo's result.json): they
# place an estimate within a factor of two there, and are an upper bound on anything faster.
_START = 15.0
_FIXED = {"ImbalancedExampleGen": 2.0, "StatisticsGen": 6.0, "SchemaGen": 0.2, "ExampleValidator": 0.3}
_JUDGED_IMAGES_PER_SECOND = 600.0
_PER_TRAINER, _PER_PREDICTOR, _PER_EVALUATOR, _PER_REPORT = 12.0, 3.0, 12.0, 2.0
_INGESTED_IMAGES_PER_SECOND = 4000.0
_EVALUATED_IMAGES_PER_SECOND = 400.0
# Training steps of 64 grey images of 32 px, and drawn images, per second, by `python -m benchmarks.generators digits
# --speed-only`, which counts them for one core; the names that are missing have not been measured.
_GENERATORS = {
    "acgan": (2.7, 1500.0),
    "bagan": (6.0, 1600.0),
    "cgan": (16.0, 11000.0),
    "class_vae": (7.0, 2200.0),
    "diffusion": (3.1, 54.0),
    "polarity_gan": (10.0, 17000.0),
    "reacgan": (2.2, 1700.0),
    "wgan_gp": (1.1, 1000.0),
}
# Training images of 32 px per second; the names that are missing have not been measured.
_TRAINED_IMAGES_PER_SECOND = {"cnn": 2500.0, "efficientnetv2-b0": 370.0}
# Bytes of one saved classifier: the `.keras` file and the SavedModel.
_MODEL_BYTES = {"cnn": 6e6, "efficientnetv2-b0": 5e7}
_UNKNOWN_MODEL_BYTES = 4e8


@dataclass(frozen=True)
class PlannedStage:
    """One node of the graph.

    Attributes:
      name: the node's id.
      seconds: estimate on 2 CPU cores; None where the model has not been measured.
    """

    name: str
    seconds: float | None


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes:
      classes: (name, training images, validation images, test images) of each class.
      stages: the nodes, in order.
      bytes: estimate of the disk space of a first run.
    """

    classes: tuple[tuple[str, int, int, int], ...]
    stages: tuple[PlannedStage, ...]
    bytes: int

    @property
    def seconds(self) -> float | None:
        """The whole run, start-up included; None if a stage cannot be estimated."""
        known = [stage.seconds for stage in self.stages if stage.seconds is not None]
        return _START + sum(known) if len(known) == len(self.stages) else None


def plan(config: RunConfig) -> Plan:
    """Reads the source and works out what a run would do; writes nothing.

    Args:
      config: of the run.

    Raises:
      UserError: as a run would raise it: unreadable source, impossible profile, empty class, wrong options.
    """
    check_run(config)
    check_beam(config.beam)
    tuned_fields.check(config)
    if config.is_searched:
        return _searched(config)
    arms = plan_arms(config)
    preparation = prepare(config.data, config.seed)
    counts = preparation.counts
    if config.training.early_stopping is not None:
        check_validation(int(counts["validation"].sum()), "training.early_stopping", "set it to null")
    drawn = _drawn(config, preparation) if any(arm.uses_synthetic for arm in arms) else 0
    return Plan(
        classes=tuple(
            (name, int(counts["train"][label]), int(counts["validation"][label]), int(counts["test"][label]))
            for label, name in enumerate(preparation.image_set.class_names)
        ),
        stages=tuple(_stages(config, preparation, arms, drawn)),
        bytes=_bytes(config, preparation, arms, drawn),
    )


def _searched(config: RunConfig) -> Plan:
    """The plan of a run that first searches: what it would be with these strategies, or with likely ones."""
    strategies = config.strategies or (BASELINE, *ladder.remedies((2, 1))[:1], *ladder.with_synthetic(None)[:1])
    settled = config.model_copy(update={"strategies": strategies, "budget": None, "tuning": None})
    planned = plan(settled)
    check_validation(sum(validation for _, _, validation, _ in planned.classes), *what_needs_validation(config))
    what = "search" if config.strategies else "search (what follows are likely strategies)"
    stages = (planned.stages[0], PlannedStage(what, float(config.budget_seconds)), *planned.stages[1:])
    return replace(planned, stages=stages)


def _drawn(config: RunConfig, preparation: Preparation) -> int:
    counts = sample_generator.plan(config.synthetic.per_class, preparation.counts["train"].tolist())
    filtering = config.synthetic.filter
    return sum(counts if filtering is None else sample_generator.oversampled(counts, filtering.oversample))


def _used(preparation: Preparation) -> int:
    return int(sum(counts.sum() for counts in preparation.counts.values()))


def _stages(config: RunConfig, preparation: Preparation, arms: tuple[Arm, ...], drawn: int) -> list[PlannedStage]:
    held_out = int(preparation.counts["validation"].sum() + preparation.counts["test"].sum())
    ingest = _FIXED["ImbalancedExampleGen"] + len(preparation.image_set) / _INGESTED_IMAGES_PER_SECOND
    stages = [PlannedStage("ImbalancedExampleGen", ingest)]
    if config.data.validate_:
        stages += [PlannedStage(name, _FIXED[name]) for name in ("StatisticsGen", "SchemaGen", "ExampleValidator")]
    if drawn:
        stages += _generation(config, drawn)
        if config.synthetic.filter is not None:
            stages.append(PlannedStage("SyntheticFilter", 5.0 + drawn / _JUDGED_IMAGES_PER_SECOND))
        stages.append(PlannedStage("SyntheticEvaluator", 15.0 + drawn / _JUDGED_IMAGES_PER_SECOND))
    for arm in arms:
        for repeat in range(config.repeats):
            suffix = repeat_suffix(repeat)
            for index, steps in enumerate(phase_steps(arm.phases, config.training.steps)):
                stages.append(PlannedStage(f"Trainer-{arm.name}-{index + 1}{suffix}", _training_seconds(config, steps)))
            stages.append(PlannedStage(f"Predictor-{arm.name}{suffix}", _PER_PREDICTOR))
    evaluating = _PER_EVALUATOR + held_out / _EVALUATED_IMAGES_PER_SECOND
    stages += [PlannedStage(f"Evaluator-{arm.name}", evaluating) for arm in arms if arm.is_served]
    return stages + [PlannedStage(name, _PER_REPORT) for name in ("ModelSelector", "BalanceReport", "Pusher")]


def _generation(config: RunConfig, drawn: int) -> list[PlannedStage]:
    training: float | None = None
    drawing: float | None = None
    if (speeds := _GENERATORS.get(config.generator.name)) is not None:
        pixels = (config.data.image_size / 32) ** 2
        training = 10.0 + config.generator.steps * config.generator.batch_size / 64 * pixels / speeds[0]
        drawing = 3.0 + drawn * pixels / speeds[1]
    return [PlannedStage("GeneratorTrainer", training), PlannedStage("SyntheticExampleGen", drawing)]


def _training_seconds(config: RunConfig, steps: int) -> float | None:
    rate = _TRAINED_IMAGES_PER_SECOND.get(config.classifier.name)
    if rate is None:
        return None
    pixels = (config.data.image_size / 32) ** 2
    return _PER_TRAINER + steps * config.training.batch_size * pixels / rate


def _bytes(config: RunConfig, preparation: Preparation, arms: tuple[Arm, ...], drawn: int) -> int:
    image = config.data.image_size**2 * preparation.channels
    # Once encoded (about half the pixels' bytes) and once decoded for training.
    images = 1.5 * image * (_used(preparation) + drawn)
    models = sum(len(arm.phases) for arm in arms) * config.repeats + 2
    return int(images + models * _MODEL_BYTES.get(config.classifier.name, _UNKNOWN_MODEL_BYTES))
