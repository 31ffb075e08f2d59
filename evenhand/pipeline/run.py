"""Runs a config from the source to the verdict, and lays the results out in the output folder."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tfx.orchestration.pipeline import Pipeline

from evenhand import config_file
from evenhand.config import RunConfig, digest
from evenhand.data.fingerprint import fingerprint
from evenhand.errors import GateFailed
from evenhand.models.preflight import check_run
from evenhand.pipeline import layout, output_folder
from evenhand.pipeline.graph import create_pipeline
from evenhand.pipeline.runner import LocalRunner
from evenhand.pipeline.search import settle
from evenhand.pipeline.stages import OnStage, StageEvent, StageOutcome
from evenhand.report import audit, finish
from evenhand.report.result import Result
from evenhand.report.search_part import SearchPart

VERSIONS = (
    "evenhand",
    "tfx",
    "tensorflow",
    "keras",
    "tensorflow-model-analysis",
    "apache-beam",
    "ml-metadata",
    "numpy",
)


def run(config: RunConfig, output: Path | None = None, *, on_stage: OnStage | None = None) -> Result:
    """Runs the whole pipeline; what an earlier run into the same folder left unchanged is not done again.

    Args:
      config: of the run.
      output: the output folder, by default `runs/<name>`; new, or one that an earlier run wrote.
      on_stage: called when a node starts and ends.

    Returns:
      The result, as `Result.load(output)` reads it.

    Raises:
      UserError: if the source or the config cannot be used; an output folder made by this call is removed again.
      GateFailed: if the chosen model misses `evaluation.minimum`, more synthetic images are copies than
        `synthetic.max_copy_share` allows, or one repeats a test image; the results are complete all the same.
    """
    with output_folder.occupied(output or Path("runs") / config.name, config_file.dump(config)) as claim:
        return run_claimed(config, claim, on_stage)


def run_claimed(config: RunConfig, claim: output_folder.Claim, on_stage: OnStage | None = None) -> Result:
    """`run` into an output folder that the caller keeps occupied."""
    if config.is_searched:
        config = settle(config, claim, on_stage)
    runner, pipeline = build(config, claim, on_stage)
    runner.run(pipeline)
    result = Result.load(claim.folder)
    _check_copies(config, result)
    _check_gate(config, result)
    return result


def build(
    config: RunConfig, claim: output_folder.Claim, on_stage: OnStage | None = None
) -> tuple[LocalRunner, Pipeline]:
    """The runner and the graph of a run into a claimed folder.

    Raises:
      UserError: if the source cannot be read, an option is wrong, or this machine lacks the devices.
    """
    check_run(config)
    output = claim.folder

    def watch(event: StageEvent) -> None:
        claim.has_results |= event.state != "started"
        if on_stage is not None:
            on_stage(event)

    pipeline = create_pipeline(
        config,
        fingerprint=fingerprint(config.data),
        pipeline_root=str(output / "artifacts"),
        push_to=str(output / "model"),
        metadata_path=output / "metadata.sqlite",
    )
    return LocalRunner(watch, lambda outcomes: lay_out(config, output, outcomes)), pipeline


def lay_out(config: RunConfig, output: Path, outcomes: Sequence[StageOutcome]) -> None:
    """Writes what people look for from the artifacts of the run: result, report, predictions, TFMA, TensorBoard."""
    by_name = {outcome.name: outcome for outcome in outcomes}
    evidence = Path(by_name["BalanceReport"].outputs["report"])
    layout.replace_folder(
        output / "predictions", {path.name: path for path in sorted((evidence / "predictions").iterdir())}
    )
    layout.replace_folder(
        output / "tfma",
        {
            name.removeprefix("Evaluator-"): Path(outcome.outputs["evaluation"])
            for name, outcome in by_name.items()
            if name.startswith("Evaluator-")
        },
    )
    layout.replace_folder(
        output / "tensorboard",
        {
            name: Path(outcome.outputs["model_run"])
            for name, outcome in by_name.items()
            if "model_run" in outcome.outputs
        },
    )
    finish.write_result(
        output,
        evidence,
        config=config.model_dump(mode="json"),
        versions={name: version(name) for name in VERSIONS},
        seconds={outcome.name: outcome.seconds for outcome in outcomes},
        processor_seconds={outcome.name: outcome.processor_seconds for outcome in outcomes},
        search=SearchPart.load(output, settled=digest(config.canonical_json())),
    )
    layout.write_index(output, outcomes)


def _check_copies(config: RunConfig, result: Result) -> None:
    if result.audit is None:
        return
    leaked = audit.leak(result.audit)
    if leaked is not None:
        first = result.audit.leaks[0]
        raise GateFailed(f"{leaked}, e.g. {first.synthetic_id} repeats {first.test_id}.")
    copied = audit.too_many_copies(result.audit, config.synthetic.max_copy_share)
    if copied is not None:
        false_alarms = f"{result.audit.false_alarms:.0%} would be false alarms"
        raise GateFailed(f"synthetic.max_copy_share: {copied} ({false_alarms}).")


def _check_gate(config: RunConfig, result: Result) -> None:
    minimum = config.evaluation.minimum
    if minimum is None:
        return
    # The model that is pushed is that of the first seed; the result's own number is a mean over all.
    validation = result.strategies[result.selected].repeats[0].validation
    if validation is None:
        raise GateFailed("evaluation.minimum: there is no validation image to measure it on; no model was pushed.")
    if validation.balanced_accuracy < minimum:
        raise GateFailed(
            f"evaluation.minimum: {result.selected} reaches {validation.balanced_accuracy:.3f} in balanced accuracy on "
            f"validation, less than the {minimum} asked for; its model was not pushed."
        )
