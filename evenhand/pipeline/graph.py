"""The graph of a run, drawn from its config; the same on the local runner and on Kubeflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tfx.components import Evaluator, ExampleValidator, Pusher, SchemaGen, StatisticsGen, Trainer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, trainer_pb2
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel

from evenhand.components import balance_report, classifier_trainer, generator_trainer, model_selector, strategy_inputs
from evenhand.components.artifacts import BalanceReport
from evenhand.components.blend_trainer import BlendTrainer
from evenhand.components.classical_predictor import ClassicalPredictor
from evenhand.components.classical_predictor import Settings as ClassicalSettings
from evenhand.components.evaluator import eval_config
from evenhand.components.example_gen import ImbalancedExampleGen
from evenhand.components.generator_trainer import GeneratorTrainer
from evenhand.components.predictor import Predictor
from evenhand.components.synthetic_evaluator import Settings as SyntheticEvaluatorSettings
from evenhand.components.synthetic_evaluator import synthetic_evaluator
from evenhand.components.synthetic_example_gen import Settings as SyntheticSettings
from evenhand.components.synthetic_example_gen import SyntheticExampleGen
from evenhand.components.synthetic_filter import Settings as SyntheticFilterSettings
from evenhand.components.synthetic_filter import synthetic_filter
from evenhand.config import RunConfig
from evenhand.models import outside_inputs
from evenhand.models.arms import BASELINE, Arm, arm_of, phase_steps, plan_arms, repeat_suffix
from evenhand.models.extractor_choice import CLASSIFIER
from evenhand.models.preflight import check_models
from evenhand.models.train_classifier import ClassifierTraining
from evenhand.pipeline.beam import beam_arguments, check_beam

Reach = Literal["real", "baseline", "synthetic"]


@dataclass
class _Graph:
    """What the nodes drawn so far offer to the next ones."""

    config: RunConfig
    nodes: list[BaseNode] = field(default_factory=list)
    models: dict[str, BaseChannel] = field(default_factory=dict)
    predictions: dict[str, BaseChannel] = field(default_factory=dict)
    evaluations: dict[str, BaseChannel] = field(default_factory=dict)

    def add(self, node: Any, node_id: str | None = None) -> Any:
        """Adds a node, under its class's name unless it is one of many."""
        if node_id is not None:
            node = node.with_id(node_id)
        self.nodes.append(node)
        return node.outputs


def create_pipeline(
    config: RunConfig,
    *,
    fingerprint: str,
    pipeline_root: str,
    push_to: str,
    metadata_path: Path | None = None,
) -> Pipeline:
    """Draws the whole graph.

    Args:
      config: of the run; each node gets only its own part of it, so that TFX's cache serves the rest.
      fingerprint: of the source's contents.
      pipeline_root: folder or bucket of the artifacts.
      push_to: folder that gets the chosen model, in a numbered version.
      metadata_path: the SQLite file of ML Metadata; None leaves the choice to the runner (Kubeflow).
    """
    check_models(config)
    graph = _Graph(config)
    arms = plan_arms(config)
    examples = graph.add(ImbalancedExampleGen(config.data, config.seed, fingerprint))["examples"]
    if config.data.validate_:
        _validate(graph, examples)
    trainings = [(arm, repeat) for arm in arms for repeat in range(config.repeats)]
    synthesis: dict[str, BaseChannel] = {}
    if any(arm.uses_synthetic for arm in arms):
        if _asks_the_baseline(config):
            trainings.sort(key=lambda training: (training[0].name, training[1]) != ("baseline", 0))
            _train(graph, *trainings.pop(0), examples, None)
        synthesis = _synthesise(graph, examples)
    for arm, repeat in trainings:
        _train(graph, arm, repeat, examples, synthesis.get("synthetic"))
    for arm in arms:
        if arm.is_served:
            _evaluate(graph, arm.name, examples)
    _conclude(graph, arms, {"examples": examples, **synthesis}, push_to)
    return _pipeline(graph, pipeline_root, metadata_path)


def create_images_pipeline(
    config: RunConfig, *, fingerprint: str, pipeline_root: str, metadata_path: Path, reach: Reach
) -> Pipeline:
    """Draws the beginning of the graph, for a search: what it makes is what the whole graph finds in the cache.

    Args:
      config: of the run, with the generator that is to be tried.
      fingerprint: of the source's contents.
      pipeline_root: folder of the artifacts.
      metadata_path: the SQLite file of ML Metadata.
      reach: how far: the real images, then what filters of synthetic images go by, then the synthetic images.
    """
    check_models(config)
    graph = _Graph(config)
    examples = graph.add(ImbalancedExampleGen(config.data, config.seed, fingerprint))["examples"]
    if reach != "real" and config.synthetic.filter is not None:
        baseline = next((one for one in config.strategies if one.name == BASELINE.name), BASELINE)
        _train(graph, arm_of(config, baseline), 0, examples, None)
    if reach == "synthetic":
        _draw(graph, examples)
    return _pipeline(graph, pipeline_root, metadata_path)


def _pipeline(graph: _Graph, pipeline_root: str, metadata_path: Path | None) -> Pipeline:
    check_beam(graph.config.beam)
    return Pipeline(
        pipeline_name=graph.config.name,
        pipeline_root=pipeline_root,
        components=graph.nodes,
        enable_cache=True,
        metadata_connection_config=(
            metadata.sqlite_metadata_connection_config(str(metadata_path)) if metadata_path else None
        ),
        beam_pipeline_args=beam_arguments(graph.config.beam),
    )


def _validate(graph: _Graph, examples: BaseChannel) -> None:
    """TFX's own look at the records: statistics, a schema drawn from them, anomalies of each split."""
    statistics = graph.add(StatisticsGen(examples=examples))["statistics"]
    schema = graph.add(SchemaGen(statistics=statistics, infer_feature_shape=True))["schema"]
    graph.add(ExampleValidator(statistics=statistics, schema=schema))


def _asks_the_baseline(config: RunConfig) -> bool:
    """Whether filters, or scores of synthetic images, go by the baseline's model of the first seed."""
    return config.synthetic.filter is not None or config.evaluation.extractor == CLASSIFIER


def _synthesise(graph: _Graph, examples: BaseChannel) -> dict[str, BaseChannel]:
    """The generator, its images, and what is to be said of what is used."""
    generator, synthetic = _draw(graph, examples)
    classifier = graph.models["baseline"] if graph.config.evaluation.extractor == CLASSIFIER else None
    judge = synthetic_evaluator(examples, synthetic, classifier, SyntheticEvaluatorSettings.of(graph.config))
    evaluation = graph.add(judge)["evaluation"]
    return {"generator": generator, "synthetic": synthetic, "synthetic_evaluation": evaluation}


def _draw(graph: _Graph, examples: BaseChannel) -> tuple[BaseChannel, BaseChannel]:
    """The generator, and its images without those that filters leave out."""
    config = graph.config
    settings = generator_trainer.Settings(
        generator=config.generator,
        device=config.device,
        seed=config.seed,
        deterministic=config.deterministic,
        outside=outside_inputs.of_generator(config.generator),
    )
    generator = graph.add(GeneratorTrainer(examples, settings))["generator"]
    synthetic = graph.add(SyntheticExampleGen(generator, examples, SyntheticSettings.of(config.synthetic)))["synthetic"]
    if config.synthetic.filter is not None:
        helpers = {"classifier": graph.models["baseline"], "generator": generator}
        filtering = SyntheticFilterSettings.of(config.synthetic)
        synthetic = graph.add(synthetic_filter(synthetic, examples, helpers, filtering))["synthetic"]
    return generator, synthetic


def _train(graph: _Graph, arm: Arm, repeat: int, real: BaseChannel, synthetic: BaseChannel | None) -> None:
    """One Trainer per phase, each starting from the model before, then the arm's predictions."""
    config, suffix = graph.config, repeat_suffix(repeat)
    seed = config.seed + repeat
    own = arm.training.of(config.training) if arm.training is not None else config.training
    training = ClassifierTraining(classifier=config.classifier, training=own, device=config.device)
    steps = phase_steps(arm.phases, config.training.steps)
    model: BaseChannel | None = None
    for index, phase in enumerate(arm.phases):
        settings = classifier_trainer.Settings(
            task=arm.name if len(arm.phases) == 1 else f"{arm.name}, phase {index + 1} of {len(arm.phases)}",
            training=training,
            phase=phase,
            steps=steps[index],
            seed=seed,
            deterministic=config.deterministic,
            final=arm.is_served and index == len(arm.phases) - 1,
            outside=outside_inputs.of_classifier(config.classifier, [phase.loss.name]),
        )
        trainer = _trainer(settings, real, synthetic, model)
        model = graph.add(trainer, f"Trainer-{arm.name}-{index + 1}{suffix}")["model"]
    name = arm.name + suffix
    if model is not None:
        graph.models[name] = model
    graph.predictions[name] = graph.add(_predictor(arm, real, model, seed), f"Predictor-{name}")["predictions"]


def _trainer(
    settings: classifier_trainer.Settings, real: BaseChannel, synthetic: BaseChannel | None, model: BaseChannel | None
) -> BaseNode:
    """The Trainer of one phase: TFX's own, or one with a second input for phases on both."""
    run_fn = f"{classifier_trainer.__name__}.run_fn"
    if settings.phase.on == "both":
        assert synthetic is not None, "an arm that uses synthetic images has them drawn"
        return BlendTrainer(real, synthetic, model, run_fn, settings.canonical_json())
    on_real = settings.phase.on == "real"
    return Trainer(
        run_fn=run_fn,
        examples=real if on_real else synthetic,
        base_model=model,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["validation" if on_real else "train"]),
        custom_config={"settings": settings.canonical_json()},
    )


def _predictor(arm: Arm, real: BaseChannel, model: BaseChannel | None, seed: int) -> BaseNode:
    """What writes an arm's predictions: of its model, or of what scikit-learn fits."""
    if arm.classical is not None:
        outside = outside_inputs.of_classical(arm.classical)
        return ClassicalPredictor(real, ClassicalSettings(strategy=arm.classical, seed=seed, outside=outside), model)
    assert model is not None, "a strategy that is no classical one has a phase"
    return Predictor(real, model, seed)


def _evaluate(graph: _Graph, arm: str, examples: BaseChannel) -> None:
    """TFX's Evaluator on validation and test, against the baseline's model."""
    is_baseline = arm == "baseline"
    evaluator = Evaluator(
        examples=examples,
        example_splits=["validation", "test"],
        model=graph.models[arm],
        baseline_model=None if is_baseline else graph.models["baseline"],
        eval_config=eval_config(is_baseline=is_baseline, is_gated=graph.config.data.splits.validation > 0),
    )
    outputs = graph.add(evaluator, f"Evaluator-{arm}")
    graph.evaluations[strategy_inputs.key("evaluation", arm)] = outputs["evaluation"]
    graph.evaluations[strategy_inputs.key("blessing", arm)] = outputs["blessing"]


def _by_key(kind: str, channels: dict[str, BaseChannel], names: Sequence[str] | None = None) -> dict[str, BaseChannel]:
    return {strategy_inputs.key(kind, name): channels[name] for name in (names or list(channels))}


def _conclude(graph: _Graph, arms: Sequence[Arm], data: dict[str, BaseChannel], push_to: str) -> None:
    """Chooses, reports and pushes."""
    config = graph.config
    candidates = tuple(arm.name for arm in arms if arm.is_candidate)
    settings = model_selector.Settings(
        select=config.evaluation.select, minimum=config.evaluation.minimum, candidates=candidates
    )
    selected = graph.add(
        strategy_inputs.component(
            "ModelSelector",
            model_selector.Executor,
            _by_key("model", graph.models, candidates) | _by_key("predictions", graph.predictions, candidates),
            {"model": standard_artifacts.Model, "blessing": standard_artifacts.ModelBlessing},
            settings.canonical_json(),
        )
    )
    graph.add(
        strategy_inputs.component(
            "BalanceReport",
            balance_report.Executor,
            {
                **data,
                "selected": selected["model"],
                **_by_key("model", graph.models),
                **_by_key("predictions", graph.predictions),
                **graph.evaluations,
            },
            {"report": BalanceReport},
            balance_report.Settings.of(config, arms).canonical_json(),
        )
    )
    graph.add(
        Pusher(
            model=selected["model"],
            model_blessing=selected["blessing"],
            push_destination=pusher_pb2.PushDestination(
                filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=push_to)
            ),
        )
    )
